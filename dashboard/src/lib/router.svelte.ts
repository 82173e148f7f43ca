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

  go(to: string, how: 'push' | 'replace' = 'push'): void {
    const url = new URL(to, location.href)
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
    this.go(url.href, how)
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
      this.go(link.href)
    })
  }
}

const isServers = (path: string): boolean => /^\/(api|docs|metrics|health|livez|readyz)(\/|$)/.test(path)

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export const router = new Router()

export const links = {
  task: (id: string) => `/tasks/${encodeURIComponent(id)}`,
  module: (name: string) => `/modules/${encodeURIComponent(name)}`,
  batch: (id: string) => `/workflows/${encodeURIComponent(id)}`,
  schedule: (name: string) => `/schedules/${encodeURIComponent(name)}`,
  tasks: (filter: Record<string, string | undefined>) => {
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(filter)) if (value) query.set(name, value)
    const text = query.toString()
    return text === '' ? '/tasks' : `/tasks?${text}`
  },
}
