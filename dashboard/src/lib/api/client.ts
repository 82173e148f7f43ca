// The API as typed functions: paths, parameters and answers come from the OpenAPI document (`schema.d.ts`, `npm run client`).
import { session } from '../session.svelte'
import type { paths } from './schema'

type Verb = 'get' | 'post' | 'put' | 'patch' | 'delete'
type Operation<P extends keyof paths, V extends Verb> = V extends keyof paths[P] ? paths[P][V] : never
type PathsOf<V extends Verb> = { [P in keyof paths]: Operation<P, V> extends { responses: unknown } ? P : never }[keyof paths]
type JsonOf<R> = R extends { content: { 'application/json': infer T } } ? T : never
type Answer<O> = O extends { responses: infer R } ? JsonOf<R[Extract<keyof R, 200 | 201 | 202>]> : never
type PathParams<O> = O extends { parameters: { path: infer T } } ? T : Record<never, never>
type Query<O> = O extends { parameters: { query?: infer T } } ? T : Record<never, never>

export interface Options<O> {
  path?: PathParams<O>
  query?: Query<O>
  body?: unknown
  signal?: AbortSignal
}

/** What the server says is wrong, or that it could not be reached (`status` 0). */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly hint = '',
    readonly errors: string[] = [],
    readonly requestId = '',
  ) {
    super(detail)
  }

  get unreachable(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 504
  }
}

const REQUEST_MS_MAX = 30_000

function url(path: string, params: object = {}, query: object = {}): string {
  const values = params as Record<string, unknown>
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(values[name] ?? '')))
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') search.set(name, String(value))
  }
  const text = search.toString()
  return text === '' ? filled : `${filled}?${text}`
}

/** Reads a problem document; what is none (a proxy's page, say) becomes one. */
export function problemOf(status: number, text: string): ApiProblem {
  try {
    const said = JSON.parse(text) as Record<string, unknown>
    const words = (name: string) => (typeof said[name] === 'string' ? (said[name] as string) : '')
    const errors = Array.isArray(said.errors) ? said.errors.map(String) : []
    return new ApiProblem(status, words('code'), words('detail') || words('title'), words('hint'), errors, words('request_id'))
  } catch {
    return new ApiProblem(status, 'http_error', `The server answered with status ${status}.`)
  }
}

/** A request whose failure is always an {@link ApiProblem}, or an AbortError if `signal` ended it. */
export async function send(verb: string, where: string, init: RequestInit = {}): Promise<Response> {
  const late = AbortSignal.timeout(REQUEST_MS_MAX)
  const signal = init.signal ? AbortSignal.any([init.signal, late]) : late
  let response: Response
  try {
    response = await fetch(where, { ...init, headers: { ...init.headers, ...session.headers }, method: verb.toUpperCase(), signal })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new ApiProblem(0, 'unreachable', 'The server cannot be reached.', 'The page tries again by itself.')
  }
  session.saw(response.status)
  if (!response.ok) throw problemOf(response.status, await response.text().catch(() => ''))
  return response
}

interface Loose {
  path?: object | undefined
  query?: object | undefined
  body?: unknown
  signal?: AbortSignal | undefined
}

async function call(verb: Verb, path: string, options: Loose = {}): Promise<unknown> {
  const init: RequestInit = { signal: options.signal ?? null, headers: { Accept: 'application/json' } }
  if (options.body !== undefined) {
    init.body = typeof options.body === 'string' ? options.body : JSON.stringify(options.body)
    init.headers = { Accept: 'application/json', 'Content-Type': 'application/json' }
  }
  const response = await send(verb, url(path, options.path, options.query), init)
  const text = await response.text()
  return text === '' ? undefined : JSON.parse(text)
}

type Call<V extends Verb> = <P extends PathsOf<V>>(path: P, options?: Options<Operation<P, V>>) => Promise<Answer<Operation<P, V>>>

const verb = <V extends Verb>(name: V) => ((path: string, options?: Loose) => call(name, path, options)) as unknown as Call<V>

export const api = { get: verb('get'), post: verb('post'), put: verb('put'), patch: verb('patch'), del: verb('delete') }

/** The text of a payload, result or log: as it is, never parsed on the way. At most `max` characters are kept. */
export async function text(where: string, signal?: AbortSignal): Promise<{ text: string; type: string; bytes: number }> {
  const response = await send('get', where, { signal: signal ?? null })
  const type = response.headers.get('content-type') ?? ''
  const body = await response.arrayBuffer()
  return { text: type.startsWith('application/octet-stream') ? '' : new TextDecoder().decode(body), type, bytes: body.byteLength }
}

/** Sends a form with progress, which `fetch` does not tell. `progress` is told 0 to 1. */
export function upload(where: string, form: FormData, progress: (part: number) => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', where)
    for (const [name, value] of Object.entries(session.headers)) request.setRequestHeader(name, value)
    request.upload.onprogress = (event) => progress(event.lengthComputable ? event.loaded / event.total : 0)
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText))
      else reject(problemOf(request.status, request.responseText))
    }
    request.onerror = () => reject(new ApiProblem(0, 'unreachable', 'The upload broke off.', 'Try again.'))
    request.send(form)
  })
}
