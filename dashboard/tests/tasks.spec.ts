// The list: filters, views, keys, many rows, and what is done to all that match.
import { expect, figure, test } from './fixtures'

const many = async (work: { post: (path: string, body: unknown) => Promise<unknown> }, count: number, task: Record<string, unknown>) => {
  for (let left = count; left > 0; left -= 10_000) {
    await work.post('/api/v1/tasks/batch', { tasks: Array.from({ length: Math.min(left, 10_000) }, (_, n) => ({ ...task, payload: n })) })
  }
}

test('chips complete names and values, and the address reproduces the view', { tag: '@core' }, async ({ page, context }) => {
  await page.goto('/tasks')
  const filter = page.getByRole('combobox', { name: 'Filter' })
  await filter.click()
  await page.keyboard.type('mod')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('option', { name: 'module:fixture' })).toBeVisible()
  await page.keyboard.type('fix')
  await page.keyboard.press('Enter')
  await page.keyboard.type('status:fail')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/status=failed/)
  await expect(page).toHaveURL(/module=fixture/)
  const states = page.locator('[data-task] [data-state]')
  await expect(states.first()).toHaveText('failed')
  expect(new Set(await states.allTextContents())).toEqual(new Set(['failed']))
  const again = await context.newPage()
  await again.goto(page.url())
  await expect(again.locator('[data-task]').first()).toBeVisible()
  expect(await again.locator('[data-task]').count()).toBe(await page.locator('[data-task]').count())
  await page.getByRole('button', { name: 'Remove the filter status' }).click()
  await expect(page).not.toHaveURL(/status=/)
})

test('a label filters, and a view is saved', { tag: '@core' }, async ({ page }) => {
  await page.goto('/tasks?label=team:blue')
  await expect(page.locator('[data-task]').first()).toContainText('team: blue')
  await page.getByRole('button', { name: 'Views' }).click()
  await page.getByLabel('Name of the view').fill('Team blue')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.goto('/tasks')
  await page.getByRole('button', { name: 'Views' }).click()
  await page.getByRole('link', { name: 'Team blue' }).click()
  await expect(page).toHaveURL(/label=team%3Ablue/)
})

test('j, k and Enter go through the rows', { tag: '@core' }, async ({ page }) => {
  await page.goto('/tasks?module=echo&label=team:green')
  await expect(page.locator('[data-at="2"]')).toBeVisible()
  for (const key of ['j', 'j', 'j', 'k']) await page.keyboard.press(key)
  await expect(page.locator('[data-at="1"] a').first()).toBeFocused()
  const id = await page.locator('[data-at="1"]').getAttribute('data-task')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(new RegExp(`/tasks/${id}`))
})

test('nothing that matches says so', { tag: '@core' }, async ({ page }) => {
  await page.goto('/tasks?queue=nobodys')
  await expect(page.getByText('No task matches')).toBeVisible()
  await page.goto('/tasks?status=nonsense')
  await expect(page.getByText('unknown_status')).toBeVisible()
})

test('a new task is in the list within a moment', { tag: '@core' }, async ({ page, work }) => {
  await page.goto('/tasks')
  await expect(page.locator('[data-task]').first()).toBeVisible()
  const { id } = await work.submit('echo', 'fresh')
  await expect(page.locator(`[data-task="${id}"]`)).toBeVisible({ timeout: 10_000 })
  await expect(page.locator(`[data-task="${id}"] [data-state]`)).toHaveText('succeeded')
})

test('ten thousand rows scroll, with few of them drawn', async ({ page, work }) => {
  test.setTimeout(240_000)
  await work.post('/api/v1/queues/many/pause')
  await many(work, 10_000, { module: 'echo', queue: 'many' })
  await page.goto('/tasks?queue=many')
  await expect(page.locator('[data-task]').first()).toBeVisible()
  const box = page.locator('[role=rowgroup].box')
  const toTheEnd = () => box.evaluate((element) => (element.scrollTo({ top: element.scrollHeight }), document.querySelector('main')?.innerText))
  await expect.poll(toTheEnd, { timeout: 120_000, intervals: [50] }).toContain('10,000 tasks loaded')
  await expect(page.locator('[data-at="9999"]')).toBeVisible()
  expect(await page.locator('[data-task]').count()).toBeLessThan(80)
  // Three screens a second up and down, as a hand scrolls, and a screen in each frame, as one that drags the bar does.
  const frames = (step: number) => box.evaluate(async (element, pixels) => {
    const took: number[] = []
    const frame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve))
    let before = await frame()
    for (let at = 0; at < 180; at += 1) {
      element.scrollTo({ top: 200_000 + at * pixels })
      const now = await frame()
      took.push(now - before)
      before = now
    }
    const at = (part: number) => took.toSorted((a, b) => a - b)[Math.floor(took.length * part)] ?? Infinity
    return { median: at(0.5), p95: at(0.95), late: took.filter((ms) => ms > 25).length }
  }, step)
  const idle = await page.evaluate(async () => {
    const took: number[] = []
    let before = await new Promise<number>((resolve) => requestAnimationFrame(resolve))
    for (let at = 0; at < 60; at += 1) {
      const now = await new Promise<number>((resolve) => requestAnimationFrame(resolve))
      took.push(now - before)
      before = now
    }
    return took.toSorted((a, b) => a - b)[30] ?? Infinity
  })
  const [slow, fast] = [await frames(40), await frames(800)]
  const said = (what: string, one: typeof slow) => `${what}: median frame ${one.median.toFixed(1)} ms, p95 ${one.p95.toFixed(1)} ms, ${one.late} of 180 over 25 ms`
  figure(`10,000 rows, nothing moves: median frame ${idle.toFixed(1)} ms`)
  figure(said('10,000 rows, a row a frame', slow))
  figure(said('10,000 rows, a screen a frame', fast))
  const median = Math.max(slow.median, fast.median)
  expect(median).toBeLessThan(100)
})

test('all that match are cancelled after a question that names their number', async ({ page, work }) => {
  test.setTimeout(240_000)
  await work.post('/api/v1/queues/bulk/pause')
  await many(work, 5_000, { module: 'echo', queue: 'bulk' })
  await page.goto('/tasks?queue=bulk')
  await page.getByRole('button', { name: 'Cancel all that match' }).click()
  const ask = page.getByRole('dialog')
  await expect(ask.getByRole('heading')).toHaveText('Cancel 5,000 tasks?', { timeout: 60_000 })
  const yes = ask.getByRole('button', { name: 'Cancel 5,000 tasks' })
  await expect(yes).toBeDisabled()
  await ask.getByRole('textbox').fill('5000')
  await yes.click()
  const followed = page.locator('[data-operation]')
  await expect(followed.getByRole('progressbar')).toBeVisible()
  await expect(followed).toContainText('5,000 of 5,000 tasks done', { timeout: 60_000 })
  const states = await work.get('/api/v1/queues/bulk')
  expect(states.queued).toBe(0)
  await expect(page.locator('[data-task] [data-state]').first()).toHaveText('cancelled')
})

test('all that failed are retried', { tag: '@core' }, async ({ page, work }) => {
  for (let n = 0; n < 3; n += 1) await work.submit('fixture', { do: 'fail' }, { queue: 'default', labels: { retry: 'me' }, retry: { max_attempts: 1 } })
  await work.until('they fail', async () => (await work.get('/api/v1/tasks?label=retry:me&status=failed')).tasks.length === 3)
  await page.goto('/tasks?label=retry:me&status=failed')
  await page.getByRole('button', { name: 'Retry all that match' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Retry 3 tasks' }).click()
  await expect(page.locator('[data-operation]')).toContainText('3 of 3 tasks done')
  await work.until('they are submitted anew', async () => (await work.get('/api/v1/tasks?label=retry:me')).tasks.length === 6)
})
