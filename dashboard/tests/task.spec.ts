// One task: what is shown of it, and what is done with it.
import { execFileSync } from 'node:child_process'
import { dirname } from 'node:path'
import { expect, test } from './fixtures'
import { program } from './instance'

test('a task that was retried shows its path, its attempts and what it used', { tag: '@core' }, async ({ page, work, seed }) => {
  const id = seed.fixture[1] ?? ''
  await work.ended(id)
  await page.goto(`/tasks/${id}`)
  await expect(page.getByRole('img', { name: /The task is succeeded\. It went through .*retrying/ })).toBeVisible()
  const attempts = page.getByRole('region', { name: 'Attempts' })
  await expect(attempts).toContainText('Attempt 1')
  await expect(attempts).toContainText('The task reported an error: not-yet')
  await expect(attempts).toContainText('Attempt 2')
  await attempts.getByText('All numbers').click()
  await expect(attempts.getByRole('row')).toHaveCount(3)
  await expect(page.getByRole('meter', { name: 'Fuel' })).toBeVisible()
  await expect(page.getByRole('region', { name: 'payload' }).last()).toContainText('"flaky"')
  await expect(page.getByRole('region', { name: 'Result' }).first()).toContainText('2')
})

test('what went wrong is said first', { tag: '@core' }, async ({ page, work, seed }) => {
  await work.ended(seed.fuel)
  await page.goto(`/tasks/${seed.fuel}`)
  await expect(page.getByRole('status').filter({ hasText: 'Out of fuel' })).toBeVisible()
  const fuel = page.getByRole('meter', { name: 'Fuel' })
  expect(Number(await fuel.getAttribute('aria-valuenow'))).toBeGreaterThan(49_000_000)
})

test('a log is searched', async ({ page, work, seed }) => {
  const id = seed.fixture[3] ?? ''
  await work.ended(id)
  await page.goto(`/tasks/${id}`)
  const log = page.getByRole('region', { name: 'Log' })
  await expect(log.getByRole('listitem')).toHaveCount(40)
  await log.getByLabel('Search the log').fill('nothing has this')
  await expect(log.getByRole('listitem')).toHaveCount(0)
})

test('numbers keep all their digits', async ({ page, work }) => {
  const response = await fetch(`${work.server}/api/v1/tasks?wait=20s`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"module":"echo","payload":{"big":12345678901234567890123}}' })
  const { id } = (await response.json()) as { id: string }
  await page.goto(`/tasks/${id}`)
  await expect(page.getByRole('region', { name: 'payload' }).last()).toContainText('12345678901234567890123')
})

test('a running task is followed and cancelled', { tag: '@core' }, async ({ page, work }) => {
  const { id } = await work.submit('fixture', { do: 'sleep', ms: 120_000 }, { limits: { timeout_ms: 200_000 } })
  await page.goto(`/tasks/${id}`)
  await expect(page.locator('main .page-head [data-state]')).toHaveText('running')
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel the task' }).click()
  await expect(page.locator('main .page-head [data-state]')).toHaveText('cancelled')
  expect((await work.get(`/api/v1/tasks/${id}`)).state).toBe('cancelled')
})

test('a running task says what it does as it does it: its log and its progress', { tag: '@core' }, async ({ page, work }) => {
  const { id } = await work.submit('fixture', { do: 'steps', count: 40, ms: 500 }, { retry: { max_attempts: 1 } })
  await page.goto(`/tasks/${id}`)
  const log = page.getByRole('region', { name: 'Log' })
  await expect(log).toContainText('as it is said')
  await expect(log.getByRole('listitem').filter({ hasText: /step 3 of 40$/ })).toBeVisible()
  const progress = page.getByRole('meter', { name: 'Progress' })
  await expect(progress).toHaveAttribute('aria-valuetext', /% step \d+ of 40/)
  const before = Number(await progress.getAttribute('aria-valuenow'))
  await expect.poll(async () => Number(await progress.getAttribute('aria-valuenow').catch(() => 1))).toBeGreaterThan(before)
  // What was said last is in sight, unless somebody scrolls away from it.
  const lines = log.getByRole('list', { name: 'Log lines' })
  const toTheEnd = () => lines.evaluate((box) => box.scrollHeight - box.clientHeight - box.scrollTop)
  await expect.poll(toTheEnd).toBeLessThan(60)
  expect((await work.get(`/api/v1/tasks/${id}`)).state).toBe('running')
  // When it is over, the log is whole, and once.
  await expect(log).toContainText('40 lines kept', { timeout: 60_000 })
  await expect(log.getByRole('listitem')).toHaveCount(40)
  await expect(log).not.toContainText('as it is said')
  await expect(progress).toHaveCount(0)
})

test('each attempt of a task has its own log while it runs', async ({ page, work }) => {
  const { id } = await work.submit('fixture', { do: 'steps', count: 600, ms: 100 }, { limits: { timeout_ms: 1_500 }, retry: { max_attempts: 2, backoff_ms: 500, retry_on: ['timed_out'] } })
  await page.goto(`/tasks/${id}`)
  const log = page.getByRole('region', { name: 'Log' })
  await expect(log).toContainText('attempt 1, as it is said')
  await expect(log).toContainText('attempt 2, as it is said')
  await expect(log.getByRole('listitem').first()).toContainText('step 1 of 600')
  await expect(page.locator('main .page-head [data-state]')).toHaveText('failed')
  await expect(log).toContainText(/attempt 2, \d+ lines kept/)
})

test('replay, and replay with edits', { tag: '@core' }, async ({ page, work, seed }) => {
  const id = seed.fixture[0] ?? ''
  await work.ended(id)
  await page.goto(`/tasks/${id}`)
  await page.getByRole('button', { name: 'Replay', exact: true }).click()
  await expect(page).not.toHaveURL(new RegExp(id))
  await expect(page.locator('main .page-head [data-state]')).toHaveText('failed')
  await expect(page.getByRole('region', { name: 'Facts' }).getByRole('link', { name: id })).toBeVisible()
  await page.goto(`/tasks/${id}`)
  await page.getByRole('button', { name: 'Replay with edits' }).click()
  const dialog = page.getByRole('dialog', { name: 'Replay with edits' })
  await dialog.getByLabel('Priority').fill('9')
  await dialog.getByLabel('Version').fill('1.0.0')
  await dialog.getByRole('button', { name: 'Submit anew' }).click()
  await expect(page.getByRole('region', { name: 'Facts' })).toContainText('priority 9')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('fixture@1.0.0')
  await page.goto(`/tasks/${seed.echo[2]}`)
  await page.getByRole('link', { name: 'Submit again' }).click()
  await expect(page.getByLabel('Payload as JSON')).toHaveValue(/"hello"/)
})

test('what is copied, as curl or as taskctl, submits the same task', { tag: '@core' }, async ({ page, work, context, seed }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.goto(`/tasks/${seed.echo[4]}`)
  await page.getByRole('button', { name: 'curl' }).click()
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain('/api/v1/tasks')
  const line = await page.evaluate(() => navigator.clipboard.readText())
  const made = JSON.parse(execFileSync('bash', ['-c', line], { encoding: 'utf8' })) as { id: string }
  const [first, again] = [await work.ended(seed.echo[4] ?? ''), await work.ended(made.id)]
  expect([again.priority, again.labels, again.module]).toEqual([first.priority, first.labels, first.module])
  await page.getByRole('button', { name: 'taskctl' }).click()
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain('taskctl --server')
  const command = await page.evaluate(() => navigator.clipboard.readText())
  const path = `${dirname(program())}:${process.env.PATH ?? ''}`
  const printed = execFileSync('bash', ['-c', command], { encoding: 'utf8', env: { ...process.env, PATH: path } }).trim()
  const third = await work.ended(printed)
  expect([third.priority, third.labels, third.module]).toEqual([first.priority, first.labels, first.module])
})

test('a task that waits for its time is moved', async ({ page, work }) => {
  const { id } = await work.submit('echo', 1, { delay: '3h' })
  await page.goto(`/tasks/${id}`)
  await page.getByRole('button', { name: 'Move' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Move' }).click()
  await expect(page.locator('main .page-head [data-state]')).toHaveText('succeeded')
})

test('children and neighbours are links', async ({ page, work, seed }) => {
  const id = seed.fixture[4] ?? ''
  await work.ended(id)
  await page.goto(`/tasks/${id}`)
  await expect(page.getByRole('region', { name: 'Children' }).getByRole('listitem')).toHaveCount(5)
  const graph = await work.get(`/api/v1/batches/${seed.batch}/graph`)
  const index = graph.nodes.find((node: { name: string }) => node.name === 'index')
  await page.goto(`/tasks/${index.id}`)
  await expect(page.getByRole('region', { name: 'Waits for' }).getByRole('listitem')).toHaveCount(4)
  await expect(page.getByRole('region', { name: 'Waited for by' }).getByRole('listitem')).toHaveCount(2)
})

test('a task that is not there is said so', { tag: '@core' }, async ({ page }) => {
  await page.goto('/tasks/01a1fec5-51d7-70dd-9694-58b0b36c0000')
  await expect(page.getByRole('alert')).toContainText('task_not_found')
})
