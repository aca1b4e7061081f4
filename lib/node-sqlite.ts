import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

/**
 * The few calls of better-sqlite3 that TypeORM makes, over Node's own SQLite: nothing to compile at install
 * (docs/decisions/0002-storage.md).
 */
export class NodeSqlite {
  private readonly connection: DatabaseSync;

  constructor(file: string, options: { readonly?: boolean; timeout?: number } = {}) {
    this.connection = new DatabaseSync(file, {
      readOnly: options.readonly ?? false,
      timeout: options.timeout ?? 5000,
      enableForeignKeyConstraints: true,
    });
  }

  prepare(sql: string): NodeSqliteStatement {
    return new NodeSqliteStatement(this.connection.prepare(sql));
  }

  pragma(text: string): unknown[] {
    return this.connection.prepare(`PRAGMA ${text}`).all();
  }

  /** A function for statements, in place of one of the same name; it takes as many values as `work` names. */
  define(name: string, work: (...values: SQLInputValue[]) => SQLInputValue): void {
    this.connection.function(name, { deterministic: true }, work);
  }

  exec(sql: string): this {
    this.connection.exec(sql);
    return this;
  }

  get inTransaction(): boolean {
    return this.connection.isTransaction;
  }

  close(): void {
    if (this.connection.isOpen) {
      this.connection.close();
    }
  }
}

class NodeSqliteStatement {
  private readonly statement: StatementSync;
  /** better-sqlite3's word for "returns rows". */
  readonly reader: boolean;

  constructor(statement: StatementSync) {
    this.statement = statement;
    this.reader = statement.columns().length > 0;
  }

  all(...values: SQLInputValue[]): unknown[] {
    return this.statement.all(...values);
  }

  run(...values: SQLInputValue[]): { changes: number; lastInsertRowid: number } {
    const { changes, lastInsertRowid } = this.statement.run(...values);
    return { changes: Number(changes), lastInsertRowid: Number(lastInsertRowid) };
  }
}
