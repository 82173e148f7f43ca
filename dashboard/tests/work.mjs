// Real work for tests and pictures: deploys two modules and submits tasks of every kind, through the public API only.
import { readFile } from 'node:fs/promises'

const root = new URL('../../', import.meta.url)
const ECHO = 'plugins/target/jq/bin/jaq.wasm'
const FIXTURE = 'plugins/target/wasm32-wasip2/release/fixture_guest.wasm'

export class Work {
  constructor(server) {
    this.server = server
  }

  async call(method, path, body) {
    const response = await fetch(this.server + path, {
      method,
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  get = (path) => this.call('GET', path)
  post = (path, body) => this.call('POST', path, body)
  put = (path, body) => this.call('PUT', path, body)
  submit = (module, payload, more = {}) => this.post('/api/v1/tasks', { module, payload, ...more })

  async deploy(file, manifest, namespace) {
    const form = new FormData()
    form.set('manifest', JSON.stringify(manifest))
    form.set('module', new Blob([await readFile(new URL(file, root))]), 'module.wasm')
    const response = await fetch(`${this.server}/api/v1/modules${namespace ? `?namespace=${namespace}` : ''}`, { method: 'POST', body: form })
    if (!response.ok) throw new Error(`deploy ${manifest.name}: ${await response.text()}`)
  }

  /** `echo` in two versions and `fixture`, which does what its payload says, with an input schema in its second. */
  async modules() {
    const echo = (version) => this.deploy(ECHO, { name: 'echo', version, description: 'Answers with its JSON payload', command: { args: ['-c', '.'] } })
    await echo('1.0.0')
    await echo('1.1.0')
    const fixture = { name: 'fixture', description: 'Does what its payload says', permissions: { enqueue: ['*'] } }
    await this.deploy(FIXTURE, { ...fixture, version: '1.0.0' })
    await this.deploy(FIXTURE, { ...fixture, version: '1.1.0', permissions: { enqueue: ['*'], kv: ['own'] }, input: SCHEMA })
    await this.put('/api/v1/modules/echo/aliases/stable', { routes: [{ version: '1.0.0' }] })
    await this.put('/api/v1/modules/echo/aliases/stable', { routes: [{ version: '1.0.0', weight: 90 }, { version: '1.1.0', weight: 10 }] })
  }

  /** Tasks that came to every end, and some that wait. */
  async tasks(many = 40) {
    const done = { echo: [], fixture: [] }
    for (let n = 0; n < many; n += 1) {
      const made = await this.submit('echo@stable', { n, text: 'hello', list: [1, 2, 3] }, { priority: 1 + (n % 10), labels: { team: n % 2 ? 'blue' : 'green' } })
      done.echo.push(made.id)
    }
    const verbs = [
      { do: 'fail' }, { do: 'flaky', until: 2 }, { do: 'trap' }, { do: 'log', count: 40, bytes: 60 }, { do: 'enqueue', count: 4 },
      { do: 'progress', count: 20 }, { do: 'panic' }, { do: 'sleep', ms: 300 }, { do: 'fault' },
    ]
    for (const payload of verbs) done.fixture.push((await this.submit('fixture', payload, { retry: { backoff_ms: 200 } })).id)
    done.fuel = (await this.submit('fixture', { do: 'spin' }, { limits: { fuel: 50_000_000 }, retry: { max_attempts: 1 } })).id
    done.later = (await this.submit('echo', 1, { delay: '2h' })).id
    done.sleeper = (await this.submit('fixture', { do: 'sleep', ms: 45_000 })).id
    return done
  }

  /** A diamond of layers with a step that fails, and a wide one. */
  async workflow() {
    const task = (name, after = [], payload = { do: 'echo', value: name }) => ({ module: 'fixture', name, after, payload, retry: { max_attempts: 1 } })
    const shards = ['resize-a', 'resize-b', 'resize-c', 'resize-d']
    const tasks = [
      task('fetch'), task('unpack', ['fetch'], { do: 'sleep', ms: 120 }), ...shards.map((name, at) => task(name, ['unpack'], { do: 'sleep', ms: 100 + at * 150 })),
      task('check', ['fetch']), task('index', shards), { ...task('report', ['index', 'check']), on_failure: 'continue' },
      task('upload', ['index'], { do: 'fail' }), task('notify', ['upload', 'report']),
    ]
    return (await this.post('/api/v1/tasks/batch', { tasks })).batch
  }

  async schedules() {
    await this.post('/api/v1/schedules', { name: 'nightly-report', expression: '30 2 * * MON-FRI', timezone: 'Europe/Vienna', task: { module: 'echo', payload: 'good morning' } })
    await this.post('/api/v1/schedules', { name: 'heartbeat', expression: '@every 1s', task: { module: 'echo', payload: { beat: true }, labels: { kind: 'beat' } } })
  }

  async ended(id, seconds = 60) {
    return this.until(`task ${id} ends`, async () => {
      const task = await this.get(`/api/v1/tasks/${id}`)
      return ['succeeded', 'failed', 'cancelled', 'expired'].includes(task.state) ? task : undefined
    }, seconds)
  }

  async until(what, look, seconds = 60) {
    const late = Date.now() + seconds * 1_000
    for (;;) {
      const found = await look()
      if (found) return found
      if (Date.now() > late) throw new Error(`${what}: not within ${seconds} s`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

export const SCHEMA = {
  type: 'object',
  title: 'What to do',
  properties: {
    do: { type: 'string', enum: ['echo', 'sleep', 'fail', 'flaky', 'log', 'steps', 'progress', 'trap', 'enqueue', 'spin', 'panic', 'fault'], description: 'The verb' },
    ms: { type: 'integer', minimum: 0, maximum: 600000, description: 'For sleep, in milliseconds' },
    count: { type: 'integer', minimum: 1 },
    until: { type: 'integer' },
    loud: { type: 'boolean' },
    list: { type: 'array', items: { type: 'string' } },
  },
  required: ['do'],
}
