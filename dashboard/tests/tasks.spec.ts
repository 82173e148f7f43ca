// The list: filters, views, keys, many rows, and what is done to all that match.
import { expect, test } from './fixtures'

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
  await expect(again.locator('[data-task]')).toHaveCount(await page.locator('[data-task]').count())
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
