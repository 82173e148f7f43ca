// The pictures of the documents: `npm run pictures` takes them anew, of an instance at work, into docs/pictures.
import { test, expect } from './fixtures'

const into = new URL('../../docs/pictures/', import.meta.url).pathname

test.skip(process.env.PICTURES !== '1', 'only for npm run pictures')

test('pictures', async ({ page, work, seed }) => {
  test.setTimeout(240_000)
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await page.goto('/')
  // Half a minute of work, so that the chart has something to show.
  for (let second = 0; second < 30; second += 1) {
    const count = 20 + Math.round(15 * Math.sin(second / 3))
    await work.post('/api/v1/tasks/batch', { tasks: Array.from({ length: count }, (_, n) => ({ module: 'fixture', priority: 1 + (n % 10), payload: n % 19 === 0 ? { do: 'fail' } : { do: 'sleep', ms: 20 + ((n * 37) % 400) }, retry: { max_attempts: 1 } })) })
    await page.waitForTimeout(900)
  }
  await work.post('/api/v1/tasks/batch', { tasks: Array.from({ length: 120 }, (_, n) => ({ module: 'fixture', priority: 1 + (n % 10), payload: { do: 'sleep', ms: 4_000 } })) })
  const take = async (name: string, path: string, ready: string) => {
    if (path !== '') await page.goto(path)
    await expect(page.locator(ready).first()).toBeVisible()
    await page.waitForTimeout(700)
    await page.screenshot({ path: `${into}${name}.png` })
  }
  await take('overview', '', '[data-verdict]')
  await page.emulateMedia({ colorScheme: 'dark' })
  await take('overview-dark', '', '[data-verdict]')
  await page.emulateMedia({ colorScheme: 'light' })
  await take('tasks', '/tasks', '[data-task]')
  await take('task', `/tasks/${seed.fixture[1]}`, '.waterfall .line')
  const steps = await work.submit('fixture', { do: 'steps', count: 80, ms: 250 }, { name: 'convert', labels: { customer: '42' } })
  await work.until('it is half done', async () => ((await work.get(`/api/v1/tasks/${steps.id}`)).progress?.fraction ?? 0) > 0.3, 60)
  await take('task-running', `/tasks/${steps.id}`, '[aria-label="Log lines"] li')
  await take('workflows', '/workflows', '[data-batch]')
  await take('workflow', `/workflows/${seed.batch}`, '[data-node]')
  await take('module', '/modules/echo', '[data-version]')
  await take('modules', '/modules', '.tile')
  await take('schedules', '/schedules', '[data-schedule]')
  await take('schedule', '/schedules/heartbeat', '.strip a')
  await take('queues', '/queues', '[data-queue]')
  await take('hosts', '/hosts', '[data-host]')
  await take('dead-letters', '/dead-letters', '[data-group]')
  await take('submit', '/submit?module=fixture', 'fieldset')
  await take('events', '/events', 'main li')
  await take('audit', '/events?view=audit', '[data-entry]')
  await take('system', '/system', '.checks li')
  await page.setViewportSize({ width: 390, height: 844 })
  await take('tasks-phone', '/tasks', '[data-task]')
})
