// How much is loaded, how soon something is seen, and how soon a change: with generous bounds, and the figures in the report.
import { expect, test } from './fixtures'

const SCRIPT_GZIP_BYTES_MAX = 100_000

test('the first page loads at most 100 kB of script', async ({ page }) => {
  const { gzipSync } = await import('node:zlib')
  let sum = 0
  const pending: Promise<void>[] = []
  page.on('response', (response) => {
    if (response.request().resourceType() !== 'script') return
    pending.push(response.body().then((body) => void (sum += gzipSync(body, { level: 9 }).length)))
  })
  await page.goto('/', { waitUntil: 'load' })
  await expect(page.locator('.u-wrap canvas')).toBeVisible()
  await Promise.all(pending)
  test.info().annotations.push({ type: 'figure', description: `script of the overview with its chart: ${sum} bytes gzip` })
  expect(sum).toBeGreaterThan(20_000)
  expect(sum).toBeLessThanOrEqual(SCRIPT_GZIP_BYTES_MAX)
})

test('the first paint', async ({ page }) => {
  await page.goto('/tasks')
  const paint = await page.evaluate(() => new Promise<number>((resolve) => new PerformanceObserver((list) => list.getEntriesByName('first-contentful-paint').forEach((entry) => resolve(entry.startTime))).observe({ type: 'paint', buffered: true })))
  test.info().annotations.push({ type: 'figure', description: `first contentful paint: ${paint.toFixed(0)} ms` })
  expect(paint).toBeLessThan(3_000)
})

test('a change is seen', async ({ page, work }) => {
  const label = `at-${Date.now()}`
  await page.goto(`/tasks?label=seen:${label}`)
  await expect(page.getByText('No task matches')).toBeVisible()
  await page.waitForFunction(() => ['live', 'polling'].includes(document.querySelector('[data-connection]')?.getAttribute('data-connection') ?? ''))
  const begun = Date.now()
  const { id } = await work.submit('echo', 1, { labels: { seen: label } })
  await page.locator(`[data-task="${id}"]`).waitFor()
  const took = Date.now() - begun
  test.info().annotations.push({ type: 'figure', description: `from submit to the row, ${await page.locator('[data-connection]').getAttribute('data-connection')}: ${took} ms` })
  expect(took).toBeLessThan(10_000)
})
