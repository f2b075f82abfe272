extension PostgresConnection {
    /// Whatever limits its role or its database has: a connection may wait for long, for the doorbell or in the transaction
    /// by which a worker leads. `transaction_timeout` came with PostgreSQL 17.
    static let sessionSettings = """
        SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 2;
        SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;
        SET idle_session_timeout = 0;
        SELECT set_config('transaction_timeout', '0', false) WHERE current_setting('transaction_timeout', true) <> '';
        SET client_min_messages = warning; SET synchronous_commit = on;
        SET default_transaction_isolation = 'read committed'
        """
}
