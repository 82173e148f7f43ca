// Text that wants to be more than text, everywhere where somebody can put text. The fixture checks that nothing ran.
import type { Page } from '@playwright/test'
import { expect, test } from './fixtures'
import { CORPUS } from './hostile'

/** Nothing ran, and nothing of it became an element. */
async function inert(page: Page) {
  const found = await page.evaluate(() => ({
    ran: (window as unknown as { pwned?: unknown }).pwned !== undefined,
    made: document.querySelectorAll('img, iframe, object, embed, math, video, marquee, base, main script, main style, main [onerror], main [onload], a[href^="javascript:" i]').length,
  }))
  expect(found).toEqual({ ran: false, made: 0 })
}

test('no script of two hundred runs from labels, payloads, results and names', async ({ page, work }) => {
  test.setTimeout(300_000)
  expect(CORPUS.length).toBeGreaterThanOrEqual(200)
  const tasks = CORPUS.map((text, n) => ({ module: 'echo', payload: { [text]: text, list: [text] }, labels: { hostile: 'yes', text: text.replaceAll('\0', '').slice(0, 60) || 'x', n: String(n) } }))
  const { tasks: made } = await work.post('/api/v1/tasks/batch', { tasks })
  await page.goto('/tasks?label=hostile:yes')
  await expect(page.locator('[data-task]').first()).toBeVisible()
  await inert(page)
  await work.ended(made.at(-1).id)
  for (let at = 0; at < made.length; at += 10) {
    await page.goto(`/tasks/${made[at].id}`)
    await expect(page.getByRole('region', { name: 'payload' }).last()).toBeVisible()
    await inert(page)
  }
})

test('no script of two hundred runs from errors', async ({ page, work }) => {
  test.setTimeout(300_000)
  const tasks = CORPUS.map((text) => ({ module: 'fixture@1.0.0', payload: { do: text.replaceAll('"', "'") }, labels: { errors: 'yes' }, retry: { max_attempts: 1 } }))
  const { tasks: made } = await work.post('/api/v1/tasks/batch', { tasks })
  await work.until('they fail', async () => (await Promise.all([made[0], made.at(-1)].map((one: { id: string }) => work.get(`/api/v1/tasks/${one.id}`)))).every((one) => one.state === 'failed'))
  await page.goto('/dead-letters')
  await expect(page.locator('[data-group]').first()).toBeVisible()
  await inert(page)
  await page.goto('/tasks?label=errors:yes')
  await expect(page.locator('[data-task]').first()).toBeVisible()
  for (let at = 0; at < made.length; at += 20) {
    await page.goto(`/tasks/${made[at].id}`)
    await expect(page.getByText('The task reported an error').first()).toBeVisible()
    await inert(page)
  }
})

test('no script of two hundred runs from logs', async ({ page, work }) => {
  test.setTimeout(300_000)
  // Its message of the error goes to its standard error, which is its log.
  await work.deploy('plugins/target/jq/bin/jaq.wasm', { name: 'complains', version: '1.0.0', command: { args: ['error'] } })
  const tasks = CORPUS.map((text) => ({ module: 'complains', payload: text, labels: { logs: 'yes' }, retry: { max_attempts: 1 } }))
  const { tasks: made } = await work.post('/api/v1/tasks/batch', { tasks })
  await work.until('they fail', async () => (await Promise.all([made[0], made.at(-1)].map((one: { id: string }) => work.get(`/api/v1/tasks/${one.id}`)))).every((one) => one.state === 'failed'))
  for (let at = 0; at < made.length; at += 10) {
    await page.goto(`/tasks/${made[at].id}`)
    await expect(page.getByRole('region', { name: 'Log' }).getByRole('listitem').first()).toBeVisible()
    await inert(page)
  }
})

test('no name can hold one', { tag: '@core' }, async ({ work }) => {
  test.setTimeout(240_000)
  const asked = async (body: unknown) => {
    const response = await fetch(`${work.server}/api/v1/tasks`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
    return response.status
  }
  for (const text of CORPUS.filter((one) => !/^[\w-]+$/.test(one))) {
    for (const body of [{ module: text }, { module: 'echo', queue: text }, { module: 'echo', name: text }, { module: 'echo', namespace: text }, { module: 'echo', labels: { [text]: 'x' } }]) {
      expect(await asked(body), JSON.stringify(body)).toBeGreaterThanOrEqual(400)
    }
  }
})

test('descriptions of modules and names in a workflow are text', async ({ page, work }) => {
  const markup = CORPUS.slice(0, 30).join(' ')
  await work.deploy('plugins/target/jq/bin/jaq.wasm', { name: 'hostile', version: '1.0.0', description: markup.slice(0, 1_000), command: { args: ['-c', '.'] }, input: { type: 'object', title: markup, properties: { [CORPUS[1] ?? '']: { type: 'string', enum: CORPUS.slice(0, 20), description: markup } } } })
  for (const path of ['/modules', '/modules/hostile', '/submit?module=hostile', '/events?view=modules', '/events?view=audit']) {
    await page.goto(path)
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    await expect(page.locator('main .loading')).toHaveCount(0)
    await inert(page)
  }
})

test('hidden and reordering characters are shown as codes', { tag: '@core' }, async ({ page, work }) => {
  const text = 'abc\u202egnp.exe\u0007\u200b'
  const { id } = await work.submit('echo', text, { labels: { odd: 'a\u202eb' } })
  await work.ended(id)
  await page.goto(`/tasks/${id}`)
  await expect(page.getByRole('region', { name: 'payload' }).last()).toContainText('⟨U+202E⟩gnp.exe')
  await expect(page.getByRole('link', { name: /odd/ })).toContainText('a⟨U+202E⟩b')
})

test('queries and addresses are text too', { tag: '@core' }, async ({ page }) => {
  test.setTimeout(240_000)
  for (const text of CORPUS.slice(0, 40)) {
    await page.goto(`/tasks?module=${encodeURIComponent(text)}`)
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Tasks')
    await inert(page)
  }
  for (const path of ['/modules/', '/schedules/', '/workflows/', '/tasks/']) {
    await page.goto(`${path}${encodeURIComponent('<img src=x onerror=window.pwned=1>')}`)
    await expect(page.getByRole('alert')).toBeVisible()
    await inert(page)
  }
})

test('pages come with a policy that lets nothing in', { tag: '@core' }, async ({ browser, url }) => {
  // A page that nobody watches: the refusal is an error on it, as it should be.
  const page = await browser.newPage({ baseURL: url })
  const response = await page.goto('/')
  const policy = response?.headers()['content-security-policy'] ?? ''
  for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]) expect(policy).toContain(rule)
  expect(policy).not.toContain('unsafe')
  const ran = await page.evaluate(() => {
    const script = document.createElement('div')
    try {
      script.innerHTML = '<img src=x onerror="window.pwned = true">'
      return 'taken'
    } catch {
      return 'refused'
    }
  })
  expect(ran).toBe('refused')
  await page.close()
})
