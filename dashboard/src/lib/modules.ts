// Modules by name, what their versions did lately, and what a dropped file carries.
import { api } from './api/client'
import type { Manifest, Module, Permissions, Task } from './api/types'
import { quantile } from './format'
import { ranMs } from './overview.svelte'

export interface Named {
  name: string
  versions: Module[]
}

export function byName(modules: Module[]): Named[] {
  const names = new Map<string, Module[]>()
  for (const module of modules) names.set(module.name, [...(names.get(module.name) ?? []), module])
  return [...names].map(([name, versions]) => ({ name, versions }))
}

/** A module's full name in its parts: `acme/resize` is `resize` of `acme`; a bare one is of `default`. */
export function parted(full: string): { namespace: string; bare: string } {
  const slash = full.indexOf('/')
  return slash < 0 ? { namespace: 'default', bare: full } : { namespace: full.slice(0, slash), bare: full.slice(slash + 1) }
}

/** What a request that names this module says of its namespace. */
export const inNamespace = (full: string): { namespace?: string } => {
  const { namespace } = parted(full)
  return namespace === 'default' ? {} : { namespace }
}

export function grants(permissions: Permissions | undefined): string[] {
  return Object.entries(permissions ?? {}).flatMap(([kind, what]) => (what as string[]).map((one) => `${kind}: ${one}`))
}

export interface Record {
  ended: number
  succeeded: number
  failed: number
  p50: number | undefined
  p95: number | undefined
}

/** Pages of tasks that the comparison of versions looks at; 200 tasks each. */
const PAGES = 3

/** How each version did, by the newest tasks of the module. */
export async function records(name: string, signal: AbortSignal): Promise<Map<string, Record>> {
  const tasks: Task[] = []
  let cursor: string | undefined
  for (let page = 0; page < PAGES; page += 1) {
    const read = await api.get('/api/v1/tasks', { query: { module: name, limit: 200, ...(cursor ? { cursor } : {}) }, signal })
    tasks.push(...(read.tasks as unknown as Task[]))
    cursor = read.next_cursor ?? undefined
    if (cursor === undefined) break
  }
  const found = new Map<string, Record>()
  for (const version of new Set(tasks.map((task) => task.version))) {
    const mine = tasks.filter((task) => task.version === version && ['succeeded', 'failed'].includes(task.state))
    const times = mine.flatMap((task) => ranMs(task) ?? []).toSorted((a, b) => a - b)
    const succeeded = mine.filter((task) => task.state === 'succeeded').length
    found.set(version, { ended: mine.length, succeeded, failed: mine.length - succeeded, p50: quantile(times, 0.5), p95: quantile(times, 0.95) })
  }
  return found
}

const MAGIC = 0x6d736100
const SECTION = 'tasklane:manifest'

/** The manifest that a .wasm file carries, if it is JSON; `toml` if it is there in the other form. */
export function embedded(wasm: ArrayBuffer): Manifest | 'toml' | undefined {
  const view = new DataView(wasm)
  if (wasm.byteLength < 8 || view.getUint32(0, true) !== MAGIC) throw new Error('This is no WebAssembly file.')
  let at = 8
  const number = () => {
    let [value, shift] = [0, 0]
    for (;;) {
      const byte = view.getUint8(at++)
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
      shift += 7
    }
  }
  try {
    while (at < wasm.byteLength) {
      const id = view.getUint8(at++)
      const end = number() + at
      if (id === 0) {
        const length = number()
        const name = new TextDecoder().decode(new Uint8Array(wasm, at, length))
        if (name === SECTION) {
          const text = new TextDecoder().decode(new Uint8Array(wasm, at + length, end - at - length)).trim()
          return text.startsWith('{') ? (JSON.parse(text) as Manifest) : 'toml'
        }
      }
      at = end
    }
  } catch {
    return undefined
  }
  return undefined
}
