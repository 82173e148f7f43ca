// The address bar is the state: every view reads its path and query from here, and writes them back.

class Router {
  #url = $state.raw(new URL(location.href))
  #guards = 0

  get path(): string {
    return this.#url.pathname
  }

  /** The path's parts, decoded: `/tasks/1` is `['tasks', '1']`. */
  get parts(): string[] {
    return this.#url.pathname.split('/').filter((part) => part !== '').map(decode)
  }

  get query(): URLSearchParams {
    return this.#url.searchParams
  }

  get href(): string {
    return this.#url.pathname + this.#url.search
  }

  /** The one namespace that is looked at; `undefined`: all of them. */
  get namespace(): string | undefined {
    return this.#url.searchParams.get('namespace') || undefined
  }

  /** The same as a part of a request's query. */
  get scope(): { namespace?: string } {
    return this.namespace === undefined ? {} : { namespace: this.namespace }
  }

  /** Goes somewhere, and stays in the namespace that is looked at, unless the address names one. */
  go(to: string, how: 'push' | 'replace' = 'push'): void {
    this.#to(new URL(within(to), location.href), how)
  }

  #to(url: URL, how: 'push' | 'replace'): void {
    if (url.href === location.href) return
    if (how === 'push') history.pushState({ depth: ++this.#guards }, '', url)
    else history.replaceState(history.state, '', url)
    this.#url = url
  }

  /** Changes the query in place; empty values go. */
  set(changes: Record<string, string | undefined>, how: 'push' | 'replace' = 'replace'): void {
    const url = new URL(this.#url)
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined || value === '') url.searchParams.delete(name)
      else url.searchParams.set(name, value)
    }
    this.#to(url, how)
  }

  /** Follows links within the dashboard without loading a page. */
  listen(): void {
    addEventListener('popstate', () => (this.#url = new URL(location.href)))
    document.addEventListener('click', (event) => {
      if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
      const link = (event.target as Element | null)?.closest?.('a[href]')
      if (!(link instanceof HTMLAnchorElement) || link.target !== '' || link.hasAttribute('download')) return
      if (link.origin !== location.origin || isServers(link.pathname)) return
      event.preventDefault()
      this.go(link.pathname + link.search)
    })
  }
}

const isServers = (path: string): boolean => /^\/(api|docs|metrics|health|livez|readyz)(\/|\?|$)/.test(path)

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export const router = new Router()

/** An address within the dashboard, with the namespace that is looked at where it names none. */
export function within(to: string): string {
  const namespace = router.namespace
  if (namespace === undefined || !to.startsWith('/') || isServers(to) || /[?&]namespace=/.test(to)) return to
  return `${to}${to.includes('?') ? '&' : '?'}namespace=${encodeURIComponent(namespace)}`
}

export const links = {
  task: (id: string) => within(`/tasks/${encodeURIComponent(id)}`),
  module: (name: string) => within(`/modules/${encodeURIComponent(name)}`),
  batch: (id: string) => within(`/workflows/${encodeURIComponent(id)}`),
  schedule: (name: string) => within(`/schedules/${encodeURIComponent(name)}`),
  tasks: (filter: Record<string, string | undefined>) => {
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(filter)) if (value) query.set(name, value)
    const text = query.toString()
    return within(text === '' ? '/tasks' : `/tasks?${text}`)
  },
}
