// Designed states: while something is read, when it fails, when it comes back, when nothing is there.
import { expect, test } from './fixtures'

const READS: [string, string, string][] = [
  ['/tasks', '**/api/v1/tasks?**', 'Tasks'], ['/modules', '**/api/v1/modules', 'Modules'], ['/schedules', '**/api/v1/schedules*', 'Schedules'],
  ['/hosts', '**/api/v1/hosts', 'Hosts'], ['/workflows', '**/api/v1/batches?**', 'Workflows'], ['/dead-letters', '**/api/v1/tasks?**', 'Dead letters'],
]

test('what cannot be read says so with what to do, and is there when it can', { tag: '@core' }, async ({ page }) => {
  for (const [path, request, title] of READS) {
    let broken = true
    let go = () => {}
    const clicked = new Promise<void>((resolve) => (go = resolve))
    await page.route(request, async (route) => {
      // The page also reads by itself: answered before the click, that would take the button away.
      if (!broken) return (await clicked, route.continue())
      return route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify({ code: 'database_unavailable', detail: 'The database is away.', hint: 'Wait a moment.', request_id: 'r-1' }) })
    })
    await page.goto(path)
    const alert = page.getByRole('alert')
    await expect(alert, path).toContainText('The server could not answer')
    await expect(alert).toContainText('Wait a moment.')
    await expect(alert).toContainText('request r-1')
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(title)
    broken = false
    await alert.getByRole('button', { name: 'Try again' }).click()
    go()
    await expect(alert, path).toHaveCount(0)
    await page.unroute(request)
  }
})

test('while a page is read, grey lines stand where text will be', { tag: '@core' }, async ({ page }) => {
  let go = () => {}
  const held = new Promise<void>((resolve) => (go = resolve))
  await page.route('**/api/v1/hosts', async (route) => (await held, route.continue()))
  await page.goto('/hosts')
  await expect(page.locator('main .loading')).toBeVisible()
  await expect(page.getByRole('status').filter({ hasText: 'Loading' })).toHaveCount(1)
  go()
  await expect(page.locator('[data-host]').first()).toBeVisible()
  await expect(page.locator('main .loading')).toHaveCount(0)
})

test('who wants less motion has none', { tag: '@core' }, async ({ page, work }) => {
  const { id } = await work.submit('fixture', { do: 'sleep', ms: 50_000 })
  const moves = () => page.locator('[data-state="running"] .dot').first().evaluate((dot) => parseFloat(getComputedStyle(dot).animationDuration))
  await page.goto(`/tasks/${id}`)
  await expect(page.locator('main .page-head [data-state]')).toHaveText('running')
  expect(await moves()).toBeGreaterThan(0.5)
  await page.emulateMedia({ reducedMotion: 'reduce' })
  expect(await moves()).toBeLessThan(0.01)
  await work.post(`/api/v1/tasks/${id}/cancel`)
})

test('nothing of a kind is said with what makes one', { tag: '@core' }, async ({ page }) => {
  for (const [path, words] of [
    ['/tasks?namespace=nobodys', 'No task matches'], ['/modules?namespace=nobodys', 'No modules yet'], ['/schedules?namespace=nobodys', 'No schedule'],
    ['/workflows?namespace=nobodys', 'No workflow yet'], ['/dead-letters?namespace=nobodys', 'Nothing has failed'], ['/events?namespace=nobodys', 'Nothing yet'],
  ] as const) {
    await page.goto(path)
    await expect(page.locator('main').getByText(words).first(), path).toBeVisible()
  }
})
