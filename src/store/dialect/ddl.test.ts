import { expect, test } from 'vitest'
import { statementsIn } from './ddl.ts'
import { writeAsc } from './dialect.ts'
import { POSTGRES } from './postgres.ts'

test('a file is cut into its statements; comments, texts, names and bodies may hold what ends one', () => {
  const body = `create function f() returns void language plpgsql as $$
begin -- don't; it's
  perform 'a;b';
end $$`
  const text = `-- It isn't a statement;
select 1; -- nor is this; really
insert into t values ('x;--y', "a;b");

${body};
select 2`
  expect(statementsIn(text)).toEqual(['select 1', `insert into t values ('x;--y', "a;b")`, body, 'select 2'])
})

test('of the files that there are, nothing but comments is left out', () => {
  for (const sql of [...POSTGRES.functions, ...POSTGRES.migrations.map((migration) => migration.sql)]) {
    const bare = (text: string) => text.replace(/^\s*--.*$/gm, '').replace(/[\s;]/g, '')
    const statements = statementsIn(sql)
    expect(bare(statements.join('\n'))).toBe(bare(sql))
    for (const statement of statements) expect(statement).toMatch(/^(create|alter|insert|analyze|do) /)
  }
})

test('the fragment goes with the space before it where there is nothing to say', () => {
  expect(writeAsc('primary key (a :asc, b :asc)', { asc: 'asc' })).toBe('primary key (a asc, b asc)')
  expect(writeAsc('primary key (a :asc, b :asc)', { asc: '' })).toBe('primary key (a, b)')
})
