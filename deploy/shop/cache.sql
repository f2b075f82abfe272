-- What a FastAPI application would have cached of the shop, as commands for redis-cli: an entry is stored by the
-- first request that misses it (NX), and every entry has a time to live.
with entries(key, value) as (
    select format('user:%s', id), to_jsonb(u) from users u
    union all select format('user:by-email:%s', email), to_jsonb(id) from users
    union all select format('item:%s', id), jsonb_build_object('id', id, 'name', name, 'price', price) from items
    union all select format('item:%s:stock', id), to_jsonb(stock) from items
    -- Whole responses: the path and the query's parameters in sorted order, so that ?b=2&a=1 is ?a=1&b=2.
    union all
    select format('resp:/catalog?%s', query), (select jsonb_agg(jsonb_build_array(name, price) order by id) from items)
    from unnest(array['page=1&sort=name', 'page=1&sort=price', 'max_price=5&page=1', 'page=1&q=tea']) as query
    union all
    select format('order:%s', o.number), jsonb_build_object('state', o.state, 'lines', jsonb_agg(l))
    from orders o join order_lines l on l.order_id = o.id group by o.id
    union all
    select format('customer:%s:orders', customer_id), jsonb_agg(number) from orders group by customer_id
    union all select format('employee:%s:profile', id), jsonb_build_object('id', id, 'name', name) from employees
    union all select format('employee:%s:status', id), to_jsonb(status) from employees
    -- Nobody's: a key that no rule names.
    union all select 'session:5f2c', to_jsonb(42)
)
select format('set ''%s'' ''%s'' nx ex 3600', key, value) from entries order by key;
