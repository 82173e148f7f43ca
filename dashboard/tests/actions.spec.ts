// What is done from the pages beside what their own files have: each action as a person does it, and what it comes to on the server.
import { readFile } from 'node:fs/promises'
import { expect, test } from './fixtures'

const FIXTURE = 'plugins/target/wasm32-wasip2/release/fixture_guest.wasm'
const wasm = new URL(`../../${FIXTURE}`, import.meta.url)

test('a workflow is followed as it goes, and cancelled', async ({ page, work }) => {
  const task = (name: string, after: string[], ms: number) => ({ module: 'fixture', name, after, payload: { do: 'sleep', ms } })
  const { batch } = await work.post('/api/v1/tasks/batch', { tasks: [task('first', [], 1_500), task('second', ['first'], 120_000), task('third', ['second'], 1)] })
  await page.goto(`/workflows/${batch}`)
  const node = (name: string) => page.locator(`[data-node="${name}"]`)
  await expect(node('second')).toHaveAttribute('data-state', 'blocked')
  await expect(node('first')).toHaveAttribute('data-state', 'succeeded')
  await expect(node('second')).toHaveAttribute('data-state', 'running')
  await page.getByRole('button', { name: 'Cancel' }).click()
  const ask = page.getByRole('dialog')
  await expect(ask.getByRole('heading')).toHaveText('Cancel 2 tasks?')
  await ask.getByRole('button', { name: 'Cancel the workflow' }).click()
  for (const name of ['second', 'third']) await expect(node(name)).toHaveAttribute('data-state', 'cancelled')
  expect((await work.get(`/api/v1/batches/${batch}`)).states.cancelled).toBe(2)
})

test('a file is dropped on the page, what it asks for is shown, and how far it is', { tag: '@core' }, async ({ page, work }) => {
  await work.deploy(FIXTURE, { name: 'thrown', version: '1.0.0', permissions: { kv: ['own'] } })
  await page.goto('/modules')
  await expect(page.locator('main a.tile').first()).toBeVisible()
  const bytes = (await readFile(wasm)).toString('base64')
  const files = await page.evaluateHandle((content) => {
    const transfer = new DataTransfer()
    transfer.items.add(new File([Uint8Array.from(atob(content), (one) => one.charCodeAt(0))], 'thrown.wasm', { type: 'application/wasm' }))
    return transfer
  }, bytes)
  await page.dispatchEvent('main', 'dragenter', { dataTransfer: files })
  const dialog = page.getByRole('dialog', { name: 'Deploy a module' })
  await dialog.locator('.drop').dispatchEvent('drop', { dataTransfer: files })
  await expect(dialog.getByLabel('Name', { exact: true })).toHaveValue('thrown')
  await expect(dialog.getByLabel('Version')).toHaveValue('1.0.1')
  const asked = dialog.getByRole('region', { name: 'Permissions' })
  await expect(asked.getByRole('listitem')).toHaveText(['kv: own'])
  await dialog.getByLabel('The rest of the manifest, as JSON').fill('{"permissions": {"secrets": ["stripe-key"]}}')
  await expect(asked.getByRole('listitem')).toHaveText(['+ secrets: stripe-key', 'kv: own'])
  // Held back, so that the bar is seen.
  let go = () => {}
  const held = new Promise<void>((resolve) => (go = resolve))
  await page.route('**/api/v1/modules', async (route) => {
    if (route.request().method() === 'POST') await held
    await route.continue()
  })
  await dialog.getByRole('button', { name: 'Deploy' }).click()
  await expect(dialog.getByRole('progressbar')).toBeVisible()
  await expect(dialog.getByRole('button', { name: 'Deploy' })).toBeDisabled()
  go()
  await expect(page).toHaveURL(/\/modules\/thrown$/)
  await expect(page.locator('[data-version="1.0.1"]')).toContainText('secrets: stripe-key')
  await expect(page.locator('[data-version="1.0.0"]')).toContainText('kv: own')
})

test('an alias is made, its weights are dragged, its versions stand side by side, and it is removed', { tag: '@core' }, async ({ page, work }) => {
  for (const [version, payload] of [['1.0.0', { do: 'sleep', ms: 5 }], ['1.1.0', { do: 'fail' }]] as const) {
    for (let n = 0; n < 3; n += 1) await work.ended((await work.submit(`fixture@${version}`, payload, { retry: { max_attempts: 1 } })).id)
  }
  await page.goto('/modules/fixture')
  // First, since the table is as high as its texts: nothing may move below while the weight is dragged.
  const cells = (version: string) => page.locator(`[data-version="${version}"] td.number`)
  for (const version of ['1.0.0', '1.1.0']) {
    await expect(cells(version).nth(1)).toHaveText(/%$/)
    await expect(cells(version).nth(3)).toHaveText(/ms|s|µs/)
  }
  await page.getByRole('button', { name: 'New alias' }).click()
  const dialog = page.getByRole('dialog', { name: 'New alias' })
  await dialog.getByLabel('Name').fill('preview')
  await dialog.getByLabel('Leads to').selectOption('1.0.0')
  await dialog.getByRole('button', { name: 'Make it' }).click()
  const card = page.getByRole('region', { name: 'Alias preview' })
  await card.getByLabel('Add a version to preview').selectOption('1.1.0')
  const slider = card.getByLabel('Weight of 1.1.0', { exact: true })
  const box = await slider.boundingBox()
  if (box === null) throw new Error('the slider is nowhere')
  const y = box.y + box.height / 2
  await page.mouse.move(box.x + 8 + (box.width - 16) * 0.05, y)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width / 2, y, { steps: 8 })
  await page.mouse.up()
  const weight = Number(await card.getByLabel('Weight of 1.1.0, as a number').inputValue())
  expect(Math.abs(weight - 50)).toBeLessThan(6)
  await card.getByRole('button', { name: 'Apply' }).click()
  await expect.poll(async () => (await work.get('/api/v1/modules/fixture/aliases')).aliases.find((one: { alias: string }) => one.alias === 'preview').routes).toEqual([{ version: '1.0.0', weight: 100 }, { version: '1.1.0', weight }])
  await card.getByRole('button', { name: 'Remove the alias preview' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove it' }).click()
  await expect(card).toHaveCount(0)
})

test('a canary takes its part of the tasks, and after the rollback none', async ({ page, work }) => {
  await work.put('/api/v1/modules/echo/aliases/part', { routes: [{ version: '1.0.0' }] })
  await page.goto('/modules/echo')
  const card = page.getByRole('region', { name: 'Alias part' })
  await card.getByLabel('Add a version to part').selectOption('1.1.0')
  await card.getByLabel('Weight of 1.1.0, as a number').fill('100')
  await card.getByLabel('Weight of 1.1.0, as a number').blur()
  await card.getByRole('button', { name: 'Apply' }).click()
  await expect(page.locator('[data-version="1.1.0"]')).toContainText('part 50 %')
  const versions = async () => {
    const { tasks } = await work.post('/api/v1/tasks/batch', { tasks: Array.from({ length: 60 }, (_, n) => ({ module: 'echo@part', payload: n })) })
    const read = await Promise.all(tasks.map((one: { id: string }) => work.get(`/api/v1/tasks/${one.id}`)))
    return new Set(read.map((one: { version: string }) => one.version))
  }
  // What an alias leads to is remembered for a second.
  await expect.poll(async () => [...(await versions())].toSorted(), { timeout: 30_000 }).toEqual(['1.0.0', '1.1.0'])
  await card.getByRole('button', { name: 'Roll back' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click()
  await expect.poll(async () => [...(await versions())], { timeout: 30_000 }).toEqual(['1.0.0'])
})

test('all dead letters are retried', { tag: '@core' }, async ({ page, work }) => {
  for (let n = 0; n < 3; n += 1) await work.submit('fixture', { do: 'fail' }, { labels: { every: 'letter' }, retry: { max_attempts: 1 } })
  await work.until('they fail', async () => (await work.get('/api/v1/tasks?label=every:letter&status=failed')).tasks.length === 3)
  await page.goto('/dead-letters')
  await page.getByRole('button', { name: 'Retry all' }).click()
  await page.getByRole('dialog').getByRole('button', { name: /^Retry [\d,]+ tasks$/ }).click()
  await expect(page.locator('[data-operation]')).toContainText(/([\d,]+) of \1 tasks done/)
  expect((await work.get('/api/v1/tasks?label=every:letter')).tasks).toHaveLength(6)
})

test('a saved view is forgotten', { tag: '@core' }, async ({ page }) => {
  await page.goto('/tasks?status=failed')
  await page.getByRole('button', { name: 'Views' }).click()
  await page.getByLabel('Name of the view').fill('Mine')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.reload()
  await page.getByRole('button', { name: 'Views' }).click()
  await page.getByRole('button', { name: 'Forget Mine' }).click()
  await expect(page.getByRole('link', { name: 'Mine' })).toHaveCount(0)
  await page.reload()
  await page.getByRole('button', { name: 'Views' }).click()
  await expect(page.getByText('None yet.')).toBeVisible()
})

test('events are held, filtered, and the address says what by', { tag: '@core' }, async ({ page, work }) => {
  await page.goto('/events')
  await page.getByLabel('Filter').fill('aside')
  await expect(page).toHaveURL(/find=aside/)
  const link = (id: string) => page.getByRole('link', { name: `…${id.slice(-8)}` })
  const first = await work.submit('echo', 1, { queue: 'default' })
  const second = await work.submit('fixture', { do: 'fail' }, { retry: { max_attempts: 1 } })
  await page.reload()
  await expect(page.getByLabel('Filter')).toHaveValue('aside')
  await page.getByLabel('Filter').fill('failed')
  await expect(link(second.id)).toBeVisible()
  await expect(link(first.id)).toHaveCount(0)
  await page.getByLabel('Filter').fill('')
  await page.getByRole('button', { name: 'Hold' }).click()
  const third = await work.submit('echo', 3)
  await work.ended(third.id)
  await expect(page.getByRole('button', { name: 'Go on' })).toBeVisible()
  await page.waitForTimeout(1_000)
  await expect(link(third.id)).toHaveCount(0)
  await page.getByRole('button', { name: 'Go on' }).click()
  const fourth = await work.submit('echo', 4)
  await expect(link(fourth.id)).toBeVisible()
})

test('a task is submitted, looked at and cancelled with the keyboard alone', { tag: '@core' }, async ({ page, work }) => {
  await page.goto('/submit?module=fixture')
  await expect(page.locator('[id="payload.do"]')).toBeVisible()
  const reach = async (what: () => Promise<boolean>) => {
    // More than once around: a page that is drawn anew while it is walked through begins at its top again.
    for (let n = 0; n < 240; n += 1) {
      await page.keyboard.press('Tab')
      if (await what()) return
    }
    throw new Error('the Tab key does not lead there')
  }
  const isAt = (selector: string) => () => page.evaluate((wanted) => document.activeElement?.matches(wanted) === true, selector)
  const isOn = (words: string) => () => page.evaluate((wanted) => document.activeElement?.textContent?.trim() === wanted, words)
  await reach(isAt('[id="payload.do"]'))
  await page.keyboard.type('sleep')
  await reach(isAt('[id="payload.ms"]'))
  await page.keyboard.type('120000')
  await reach(isOn('Submit'))
  await page.keyboard.press('Enter')
  await expect(page.locator('main .page-head [data-state]')).toHaveText('running')
  const id = new URL(page.url()).pathname.split('/').at(-1) ?? ''
  await page.keyboard.press('x')
  const dialog = page.getByRole('dialog')
  await expect(dialog).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(dialog).toHaveCount(0)
  await page.keyboard.press('x')
  await expect(dialog).toBeVisible()
  await reach(isOn('Cancel the task'))
  await page.keyboard.press('Enter')
  await expect(page.locator('main .page-head [data-state]')).toHaveText('cancelled')
  expect((await work.get(`/api/v1/tasks/${id}`)).state).toBe('cancelled')
})

test('a dialog that is opened as soon as it was left stays open', { tag: '@core' }, async ({ page, work }) => {
  const { id } = await work.submit('fixture', { do: 'sleep', ms: 120_000 }, { limits: { timeout_ms: 200_000 } })
  /** Leaves the dialog as Escape does and presses a key before the browser has told the page of it. */
  const again = (key: string) =>
    page.evaluate(async (key) => {
      document.querySelector<HTMLDialogElement>('dialog[open]')?.requestClose()
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))
      // Two frames: what the browser tells late has been told.
      for (let n = 0; n < 2; n += 1) await new Promise(requestAnimationFrame)
    }, key)
  await page.goto(`/tasks/${id}`)
  await expect(page.locator('main .page-head [data-state]')).toHaveText('running')
  for (const [key, name] of [['x', 'Cancel this task?'], ['?', 'Keyboard shortcuts']] as const) {
    await page.keyboard.press(key)
    await expect(page.getByRole('dialog', { name })).toBeVisible()
    await again(key)
    await expect(page.getByRole('dialog', { name })).toBeVisible()
    await page.keyboard.press('Escape')
    await expect(page.getByRole('dialog')).toHaveCount(0)
  }
  await work.post(`/api/v1/tasks/${id}/cancel`)
})

test('the overview has all that a person on call looks for', { tag: '@core' }, async ({ page, work }) => {
  await work.post('/api/v1/queues/lanes/pause')
  for (const priority of [2, 9]) await work.submit('echo', 1, { queue: 'lanes', priority })
  await page.goto('/')
  const tile = (words: string) => page.locator('.tile').filter({ hasText: words })
  await expect(tile('Throughput').locator('strong')).toHaveText(/\/s$/)
  await expect(tile('Failed').locator('strong')).toHaveText(/%$/)
  await expect(tile('Queued')).toContainText(/oldest \d/)
  await expect(tile('Slots in use').locator('strong')).toHaveText(/^\d+\/\d+$/)
  for (const words of ['Wait in queue', 'Run time']) await expect(tile(words)).toContainText(/p95 .+ · p99 /)
  await expect(page.locator('[data-verdict]')).toContainText(/led by .+ in term \d+/)
  await expect(page.getByRole('region', { name: 'Queue lanes' })).toContainText('2 queued')
  await expect(page.getByRole('region', { name: 'Tasks by state' })).toContainText('succeeded')
  await work.post('/api/v1/tasks/cancel', { queue: 'lanes' })
  await work.post('/api/v1/queues/lanes/resume')
})

test('webhooks are shown, and no setting shows a secret', { tag: '@core' }, async ({ page, work }) => {
  const { secret } = await work.post('/api/v1/webhooks', { name: 'shown-here', url: 'http://127.0.0.1:9/hook', events: ['task.failed'], paused: true })
  await work.put('/api/v1/secrets/api-key', { value: 'sekrit-of-mine' })
  await page.goto('/system')
  await expect(page.getByRole('region', { name: 'Webhooks' })).toContainText('shown-here')
  await expect(page.getByRole('region', { name: 'Settings' }).first()).toContainText('sandbox')
  const text = await page.locator('body').innerText()
  for (const hidden of [secret, 'sekrit-of-mine'].filter((one) => typeof one === 'string')) expect(text).not.toContain(hidden)
  await work.call('DELETE', '/api/v1/webhooks/shown-here')
})
