-- The demo's shop, as rules/shop.yaml describes it.
create table users (
    id int primary key,
    name text not null,
    email text not null unique,
    created_at timestamptz not null default now()
);
create table items (
    id int primary key,
    name text not null,
    price numeric(8, 2) not null,
    stock int not null,
    updated_at timestamptz not null default now()
);
create table orders (
    id int primary key,
    number text not null unique,
    customer_id int not null references users,
    state text not null
);
create table order_lines (
    id int primary key,
    order_id int not null references orders,
    item_id int not null references items,
    quantity int not null
);
-- A name changes once a year, the status ten times a day.
create table employees (
    id int primary key,
    name text not null,
    status text not null check (status in ('in', 'out')),
    status_at timestamptz not null default now()
);

insert into users values (41, 'Ben', 'ben@example.org'), (42, 'Ann', 'ann@example.org'), (43, 'Cem', 'cem@example.org');
insert into items values (7, 'Tea', 3.50, 12), (8, 'Coffee', 6.90, 30), (9, 'Cocoa', 4.20, 5);
insert into orders values (31, 'A-2024-31', 42, 'open'), (32, 'A-2024-32', 43, 'paid');
insert into order_lines values (900, 31, 7, 2), (901, 31, 8, 1), (902, 32, 9, 4);
insert into employees values (1, 'Bea', 'out'), (2, 'Dan', 'in'), (3, 'Eve', 'in'), (4, 'Fay', 'out'), (5, 'Gus', 'in');
