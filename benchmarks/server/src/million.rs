//! A database that has grown old: copies of what a server has stored, under new ids.

use std::error::Error;
use std::path::Path;

use rusqlite::Connection;

/// Copies one interaction, with its log and its labels, until there are `count` more.
/// Every hundred-thousandth copy is labelled `rare: yes` and counts as failed.
pub fn grow(database: &Path, id: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let connection = Connection::open(database)?;
    connection.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = off; pragma cache_size = -200000;",
    )?;
    let numbers = format!(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < {count})"
    );
    connection.execute_batch("begin")?;
    for (table, key) in [("interactions", "id"), ("chunks", "interaction")] {
        let columns = columns(&connection, table)?;
        let copied: Vec<String> = columns
            .iter()
            .map(|column| match column.as_str() {
                name if name == key => {
                    "'v1_copy' || printf('%024d', i * 7919 % 1000003) || i".to_owned()
                }
                "created" | "updated" => format!("{column} - i * 1000"),
                "status" => "case when i % 100000 = 0 then 'failed' else status end".to_owned(),
                name => name.to_owned(),
            })
            .collect();
        connection.execute(
            &format!(
                "{numbers} insert into {table} ({}) select {} from n, {table} where {key} = ?1",
                columns.join(", "),
                copied.join(", ")
            ),
            [id],
        )?;
    }
    connection.execute_batch(
        "insert into labels (tenant, key, value, created, interaction)
         select tenant, 'rare', 'yes', created, id from interactions where status = 'failed';
         insert into labels (tenant, key, value, created, interaction)
         select tenant, 'team', 'a', created, id from interactions where id like 'v1_copy%';
         commit; pragma wal_checkpoint(truncate);",
    )?;
    Ok(())
}

fn columns(connection: &Connection, table: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut statement =
        connection.prepare(&format!("select name from pragma_table_info('{table}')"))?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}
