// Generates src/lib/api/schema.d.ts from docs/openapi.json: `npm run client`. Operation ids are left out, since several routes
// share one (`list`), which would give them one type. With `--check` nothing is written, and another text is a failure.
import { readFile, writeFile } from 'node:fs/promises'
import openapi, { astToString } from 'openapi-typescript'

const here = (path) => new URL(path, import.meta.url)
const document = JSON.parse(await readFile(here('../../docs/openapi.json'), 'utf8'))
for (const operations of Object.values(document.paths)) {
  for (const operation of Object.values(operations)) delete operation.operationId
}
const head = '// Generated from docs/openapi.json by `npm run client`. Do not edit.\n'
const text = head + astToString(await openapi(document))
// The client package has the same types, without needing the dashboard.
for (const copy of ['../src/lib/api/schema.d.ts', '../../sdk/client-ts/schema.d.ts']) {
  const to = here(copy)
  if (!process.argv.includes('--check')) await writeFile(to, text)
  else if ((await readFile(to, 'utf8')) !== text) {
    console.error(`${to.pathname} is not that of docs/openapi.json: npm run client`)
    process.exit(1)
  }
}
