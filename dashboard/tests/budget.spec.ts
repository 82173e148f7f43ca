// How much is loaded, how soon something is seen, how soon a change, and how smoothly ten thousand rows scroll. Bounds are generous, since
// machines differ; the figures are those of `npm run budgets`.
import { expect, figure, quantile, test } from './fixtures'

const SCRIPT_GZIP_BYTES_MAX = 100_000

test('the first page loads at most 100 kB of script', { tag: ['@core', '@budget'] }, async ({ page }) => {
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
  figure('script of the overview with its chart, gzip', sum, 'bytes')
  expect(sum).toBeGreaterThan(20_000)
  expect(sum).toBeLessThanOrEqual(SCRIPT_GZIP_BYTES_MAX)
})

const PAINTS = 9

test('the first paint', { tag: ['@core', '@budget'] }, async ({ browser, baseURL }) => {
  const [paints, contents]: [number[], number[]] = [[], []]
  // Each in a browser that has nothing yet; the first one also warms the server's pages up.
  for (let at = 0; at < PAINTS; at += 1) {
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(`${baseURL}/`)
    await page.locator('[data-verdict]').waitFor()
    contents.push(await page.evaluate(() => performance.now()))
    paints.push(await page.evaluate(() => new Promise<number>((resolve) => new PerformanceObserver((list) => list.getEntriesByName('first-contentful-paint').forEach((entry) => resolve(entry.startTime))).observe({ type: 'paint', buffered: true }))))
    await context.close()
  }
  figure('first contentful paint, nothing cached, median', quantile(paints), 'ms')
  figure('first contentful paint, nothing cached, worst', Math.max(...paints), 'ms')
  figure('the overview with its numbers, nothing cached, median', quantile(contents), 'ms')
  expect(quantile(paints)).toBeLessThan(1_500)
})

const CHANGES = 20

test('a change is seen', { tag: ['@core', '@budget'] }, async ({ page, work }) => {
  const label = `at-${Date.now()}`
  await page.goto(`/tasks?label=seen:${label}`)
  await expect(page.getByText('No task matches')).toBeVisible()
  await expect(page.locator('[data-connection]')).toHaveAttribute('data-connection', 'live')
  const delays: number[] = []
  for (let n = 0; n < CHANGES; n += 1) {
    // In the page's own clock: who waits from outside looks less often than the page changes.
    const seen = page.evaluate((before) => new Promise<number>((resolve) => {
      const look = () => document.querySelectorAll('[data-task]').length > before && resolve(Date.now())
      new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true })
      look()
    }), n)
    const begun = Date.now()
    await work.submit('echo', n, { labels: { seen: label } })
    delays.push((await seen) - begun)
  }
  figure('a change, from submit to the row, median', quantile(delays), 'ms')
  figure('a change, from submit to the row, p95', quantile(delays, 0.95), 'ms')
  // Without the feed it would be up to 3 s each.
  expect(quantile(delays)).toBeLessThan(2_000)
})

test('ten thousand rows scroll, with few of them drawn', { tag: '@budget' }, async ({ page, work }) => {
  test.setTimeout(240_000)
  await work.post('/api/v1/queues/many/pause')
  await work.post('/api/v1/tasks/batch', { tasks: Array.from({ length: 10_000 }, (_, n) => ({ module: 'echo', queue: 'many', payload: n })) })
  await page.goto('/tasks?queue=many')
  await expect(page.locator('[data-task]').first()).toBeVisible()
  const box = page.locator('[role=rowgroup].box')
  const toTheEnd = () => box.evaluate((element) => (element.scrollTo({ top: element.scrollHeight }), document.querySelector('main')?.innerText))
  await expect.poll(toTheEnd, { timeout: 120_000, intervals: [50] }).toContain('10,000 tasks loaded')
  await expect(page.locator('[data-at="9999"]')).toBeVisible()
  expect(await page.locator('[data-task]').count()).toBeLessThan(80)
  // What a frame takes on this machine where nothing has to be drawn; then a row in each, as a hand scrolls, and a screen in each, as one who
  // drags the bar does.
  const frames = (pixels: number) => box.evaluate(async (element, step) => {
    const took: number[] = []
    const frame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve))
    let before = await frame()
    for (let at = 0; at < 240; at += 1) {
      if (step > 0) element.scrollTo({ top: 100_000 + at * step })
      const now = await frame()
      took.push(now - before)
      before = now
    }
    return took
  }, pixels)
  const shown: [string, number][] = [['nothing moves', 0], ['a row a frame', 40], ['a screen a frame', 800]]
  for (const [words, step] of shown) {
    const took = await frames(step)
    const mean = took.reduce((sum, one) => sum + one, 0) / took.length
    figure(`10,000 rows, ${words}: frames a second`, 1_000 / mean, 'frames/s')
    figure(`10,000 rows, ${words}: p95 of a frame`, quantile(took, 0.95), 'ms')
    expect(quantile(took), words).toBeLessThan(100)
  }
})
