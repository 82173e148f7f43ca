// What was done, in words.
import type { ModuleEvent, Route } from './api/types'
import { percent } from './format'

const routesSaid = (routes: Route[]): string => {
  const sum = routes.reduce((all, route) => all + route.weight, 0)
  return routes.map((route) => (routes.length === 1 ? route.version : `${route.version} (${percent(route.weight / sum)})`)).join(', ')
}

export function eventWords(event: ModuleEvent): string {
  const of = (name: string) => String(event[name] ?? '')
  switch (event.action) {
    case 'deployed': return `Version ${of('version')} was deployed`
    case 'enabled': return `Version ${of('version')} takes tasks again`
    case 'disabled': return `Version ${of('version')} takes no new tasks`
    case 'deleted': return `Version ${of('version')} was removed${event.in_spite_of ? `, in spite of ${of('in_spite_of')}` : ''}`
    case 'quarantined': return `Version ${of('version')} was quarantined after ${of('deaths')} hosts died of it`
    case 'released': return `Version ${of('version')} may run again`
    case 'alias_set': return `${of('alias')} leads to ${routesSaid((event.routes as Route[] | undefined) ?? [])}`
    case 'alias_removed': return `The alias ${of('alias')} was removed`
    default: return event.action.replaceAll('_', ' ')
  }
}

const TONES: Record<string, string> = { deployed: 'ok', enabled: 'ok', released: 'ok', disabled: 'warn', deleted: 'bad', quarantined: 'bad', alias_set: 'accent', alias_removed: 'idle' }

export const eventTone = (event: ModuleEvent): string => TONES[event.action] ?? 'idle'
