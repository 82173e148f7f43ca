// axe on every page, in light, dark and on a phone; and what axe does not look for.
import AxeBuilder from '@axe-core/playwright'
import { expect, test } from './fixtures'

const paths = (seed: { fixture: string[]; batch: string }) => [
  '/', '/tasks', '/tasks?status=failed&module=fixture', `/tasks/${seed.fixture[0]}`, `/tasks/${seed.fixture[1]}`, `/tasks/${seed.fixture[3]}`, '/dead-letters', '/workflows', `/workflows/${seed.batch}`,
  '/modules', '/modules/fixture', '/schedules', '/schedules/heartbeat', '/queues', '/hosts', '/submit?module=fixture', '/events', '/events?view=audit', '/events?view=modules', '/events?view=operations', '/system', '/nowhere',
]

for (const kind of ['light', 'dark', 'phone'] as const) {
  test(`axe finds nothing: ${kind}`, async ({ page, seed }) => {
    test.setTimeout(240_000)
    await page.emulateMedia({ colorScheme: kind === 'dark' ? 'dark' : 'light', reducedMotion: 'reduce' })
    if (kind === 'phone') await page.setViewportSize({ width: 390, height: 844 })
    const found: string[] = []
    for (const path of paths(seed)) {
      await page.goto(path)
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
      await page.waitForLoadState('load')
      // What is drawn late (the chart, the graph) is looked at too.
      await expect(page.locator('main .loading')).toHaveCount(0)
      const { violations } = await new AxeBuilder({ page }).analyze()
      for (const one of violations) found.push(`${path}: ${one.id} ${one.nodes.slice(0, 3).map((node) => `${node.target.join(' ')} ${node.failureSummary?.split('\n')[1] ?? ''}`).join(' | ')}`)
    }
    expect(found).toEqual([])
  })
}

test('axe finds nothing in dialogs', { tag: '@core' }, async ({ page }) => {
  const look = async (what: string) => {
    const { violations } = await new AxeBuilder({ page }).analyze()
    expect(violations.map((one) => `${what}: ${one.id} ${one.nodes[0]?.html}`)).toEqual([])
  }
  await page.goto('/modules?deploy=1')
  await expect(page.getByRole('dialog')).toBeVisible()
  await look('deploy')
  await page.goto('/schedules?new=1')
  await expect(page.getByRole('dialog')).toBeVisible()
  await look('schedule')
  await page.goto('/tasks')
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog')).toBeVisible()
  await look('help')
  await page.keyboard.press('Escape')
  await page.keyboard.press('Control+k')
  await expect(page.getByRole('dialog')).toBeVisible()
  await look('palette')
})

test('the page has a language, a title of its own, and a focus that is seen', { tag: '@core' }, async ({ page }) => {
  await page.goto('/queues')
  await expect(page.locator('html')).toHaveAttribute('lang', 'en')
  await expect(page).toHaveTitle('Queues · Tasklane')
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused()
  await page.keyboard.press('Tab')
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle)
  expect(outline).not.toBe('none')
})
