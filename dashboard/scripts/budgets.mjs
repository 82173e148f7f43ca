// Measures what `tests/budget.spec.ts` bounds, and prints it as JSON: `npm run --silent budgets`. Needs what `npm test` needs.
import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'

const env = { ...process.env, PLAYWRIGHT_JSON_OUTPUT_NAME: '' }
const done = spawnSync('npx', ['playwright', 'test', '--grep', '@budget', '--reporter=json'], { encoding: 'utf8', env, maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'inherit'] })
const report = JSON.parse(done.stdout)
const specs = (suite) => [...(suite.specs ?? []), ...(suite.suites ?? []).flatMap(specs)]
const results = report.suites.flatMap(specs).flatMap((spec) => spec.tests.flatMap((test) => test.results.map((result) => ({ spec, result }))))
const figures = results.flatMap(({ result }) => (result.annotations ?? []).filter((one) => one.type === 'figure').map((one) => JSON.parse(one.description)))
const failed = results.filter(({ result }) => result.status !== 'passed').map(({ spec, result }) => `${spec.title}: ${result.errors.map((error) => error.message).join('; ')}`)
console.log(JSON.stringify({ cores: cpus().length, browser: (process.env.CHROMIUM ?? 'chromium').split('/').at(-1), figures, failed }, null, 2))
process.exit(done.status ?? 1)
