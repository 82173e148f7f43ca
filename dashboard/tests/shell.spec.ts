// The frame: navigation, keyboard, theme, phone, paths that are not there.
import { expect, test } from './fixtures'

const PAGES: [string, string][] = [
  ['/', 'All is well|needs? a look|need a look'], ['/tasks', 'Tasks'], ['/dead-letters', 'Dead letters'], ['/workflows', 'Workflows'], ['/modules', 'Modules'],
  ['/schedules', 'Schedules'], ['/queues', 'Queues'], ['/hosts', 'Hosts'], ['/events', 'Events'], ['/system', 'System'], ['/submit', 'Submit a task'],
]

test('every page opens by its address', { tag: '@core' }, async ({ page }) => {
  for (const [path, title] of PAGES) {
    await page.goto(path)
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(new RegExp(title))
  }
  await page.goto('/no/such/page')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Nothing is here')
})

test('the keyboard alone leads everywhere', { tag: '@core' }, async ({ page }) => {
  await page.goto('/')
  await expect(page.locator('[data-verdict]')).toBeVisible()
  for (const [key, title] of [['t', 'Tasks'], ['m', 'Modules'], ['s', 'Schedules'], ['q', 'Queues'], ['h', 'Hosts'], ['d', 'Dead letters'], ['w', 'Workflows'], ['e', 'Events'], ['y', 'System']]) {
    await page.keyboard.press('g')
    await page.keyboard.press(key ?? '')
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(title ?? '')
  }
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toHaveCount(0)
  await page.keyboard.press('/')
  await page.keyboard.type('status:failed')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/tasks\?status=failed$/)
  await page.keyboard.press('Control+k')
  await page.keyboard.type('module echo')
  await expect(page.getByRole('option', { name: 'Module echo' })).toBeVisible()
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/modules\/echo$/)
  await page.goBack()
  await expect(page).toHaveURL(/\/tasks\?status=failed$/)
})

test('the search knows ids', { tag: '@core' }, async ({ page, seed }) => {
  await page.goto('/')
  await page.getByLabel('Search tasks').fill(seed.echo[0] ?? '')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(new RegExp(`/tasks/${seed.echo[0]}$`))
})

test('the theme is remembered, and is there before the first paint', { tag: '@core' }, async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'light' })
  await page.goto('/system')
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
  const light = await background()
  await page.getByRole('button', { name: /^Theme/ }).click()
  await page.getByRole('button', { name: 'Theme: light' }).click()
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
  expect(await background()).not.toBe(light)
  await page.reload({ waitUntil: 'commit' })
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
  await page.getByRole('button', { name: 'Theme: dark' }).click()
  await expect(page.locator('html')).not.toHaveAttribute('data-theme', /./)
  await page.emulateMedia({ colorScheme: 'dark' })
  expect(await background()).not.toBe(light)
})

test('times are relative, with the absolute one on hover in the chosen zone', { tag: '@core' }, async ({ page, seed }) => {
  await page.goto(`/tasks/${seed.echo[0]}`)
  const time = page.locator('dl time').first()
  await expect(time).toHaveText(/ago|now/)
  await expect(time).toHaveAttribute('title', /GMT\+[12]|CES?T/)
  await page.getByRole('button', { name: 'Local' }).click()
  await expect(time).toHaveAttribute('title', /UTC/)
})

test('a phone shows every page without scrolling sideways', { tag: '@core' }, async ({ page, seed }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  const more: [string, string][] = [[`/tasks/${seed.fixture[1]}`, ''], [`/workflows/${seed.batch}`, ''], ['/modules/echo', ''], ['/schedules/heartbeat', '']]
  for (const [path] of [...PAGES, ...more]) {
    await page.goto(path)
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    await expect(page.locator('main .loading')).toHaveCount(0)
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    expect(over, path).toBeLessThanOrEqual(0)
  }
  await page.goto('/')
  await page.getByRole('button', { name: 'Menu' }).click()
  await page.getByRole('link', { name: 'Tasks', exact: true }).click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Tasks')
  await expect(page.locator('#places')).toBeHidden()
  await expect(page.locator('[data-task]').first()).toBeVisible()
  // Nothing of a row lies over another.
  const tall = await page.locator('[data-task]').evaluateAll((rows) => rows.filter((row) => row.scrollHeight > row.clientHeight + 1).length)
  expect(tall).toBe(0)
})
