// A layered drawing of what waits for what: layers by the longest way, crossings reduced by averages, piles where there are many.
import type { Graph, GraphNode, State } from './api/types'

export interface Box {
  id: string
  title: string
  module: string
  state: State
  /** How many tasks it stands for, and their states. */
  count: number
  states: Record<string, number>
  x: number
  y: number
}

export interface Arrow {
  id: string
  from: string
  to: string
  path: string
}

export interface Drawing {
  boxes: Box[]
  arrows: Arrow[]
  width: number
  height: number
  piled: boolean
}

export const BOX_W = 168
export const BOX_H = 44
const LAYER_GAP = 76
const ROW_GAP = 16
/** More tasks than this are drawn as piles: those of one layer and module together. */
const BOXES_MAX = 300
const SWEEPS = 8

type Links = Map<string, string[]>

function push(links: Links, key: string, value: string) {
  const list = links.get(key)
  if (list) list.push(value)
  else links.set(key, [value])
}

/** The layer of each node: one after the last of those that it waits for. */
export function layersOf(ids: string[], before: Links, after: Links): Map<string, number> {
  const waits = new Map(ids.map((id) => [id, before.get(id)?.length ?? 0]))
  const layer = new Map<string, number>()
  let ready = ids.filter((id) => waits.get(id) === 0)
  for (const id of ready) layer.set(id, 0)
  while (ready.length > 0) {
    const next: string[] = []
    for (const id of ready) {
      for (const to of after.get(id) ?? []) {
        layer.set(to, Math.max(layer.get(to) ?? 0, (layer.get(id) ?? 0) + 1))
        const left = (waits.get(to) ?? 1) - 1
        waits.set(to, left)
        if (left === 0) next.push(to)
      }
    }
    ready = next
  }
  return layer
}

function linksOf(edges: { from: string; to: string }[]): { before: Links; after: Links } {
  const [before, after]: [Links, Links] = [new Map(), new Map()]
  for (const { from, to } of edges) {
    push(after, from, to)
    push(before, to, from)
  }
  return { before, after }
}

const RANK: State[] = ['failed', 'running', 'retrying', 'queued', 'blocked', 'scheduled', 'expired', 'cancelled', 'succeeded']

/** The state that a pile shows: the one that most wants a look. */
const worst = (states: Record<string, number>): State => RANK.find((state) => (states[state] ?? 0) > 0) ?? 'queued'

function order(rows: string[][], before: Links, after: Links) {
  const place = new Map<string, number>()
  const note = (row: string[]) => row.forEach((id, at) => place.set(id, at))
  rows.forEach(note)
  const mean = (id: string, links: Links) => {
    const near = (links.get(id) ?? []).flatMap((other) => place.get(other) ?? [])
    return near.length === 0 ? (place.get(id) ?? 0) : near.reduce((sum, one) => sum + one, 0) / near.length
  }
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const [links, way] = sweep % 2 === 0 ? [before, rows] : [after, rows.toReversed()]
    for (const row of way) {
      const means = new Map(row.map((id) => [id, mean(id, links)]))
      row.sort((a, b) => (means.get(a) ?? 0) - (means.get(b) ?? 0))
      note(row)
    }
  }
}

/** Heights: near those that a box is linked with, never closer than a row. */
function heights(rows: string[][], before: Links, after: Links): Map<string, number> {
  const step = BOX_H + ROW_GAP
  const tallest = Math.max(1, ...rows.map((row) => row.length))
  const y = new Map<string, number>()
  for (const row of rows) row.forEach((id, at) => y.set(id, (at + (tallest - row.length) / 2) * step))
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const [links, way] = sweep % 2 === 0 ? [before, rows] : [after, rows.toReversed()]
    for (const row of way) {
      const wish = row.map((id) => {
        const near = (links.get(id) ?? []).flatMap((other) => y.get(other) ?? [])
        return near.length === 0 ? (y.get(id) ?? 0) : near.reduce((sum, one) => sum + one, 0) / near.length
      })
      let least = -Infinity
      const down = wish.map((one) => (least = Math.max(one, least + step)))
      let most = Infinity
      const up = wish.toReversed().map((one) => (most = Math.min(one, most - step))).toReversed()
      row.forEach((id, at) => y.set(id, ((down[at] ?? 0) + (up[at] ?? 0)) / 2))
    }
  }
  return y
}

export function draw(graph: Graph): Drawing {
  const known = new Set(graph.nodes.map((node) => node.id))
  const edges = graph.edges.filter((edge) => known.has(edge.on) && known.has(edge.task)).map((edge) => ({ from: edge.on, to: edge.task }))
  const { before, after } = linksOf(edges)
  const layer = layersOf(graph.nodes.map((node) => node.id), before, after)
  const piled = graph.nodes.length > BOXES_MAX
  const keyOf = (node: GraphNode) => (piled ? `${layer.get(node.id) ?? 0} ${node.module}` : node.id)
  const owner = new Map(graph.nodes.map((node) => [node.id, keyOf(node)]))
  const boxes = new Map<string, Box>()
  for (const node of graph.nodes) {
    const id = keyOf(node)
    const box = boxes.get(id) ?? { id, title: node.name ?? '', module: node.module, state: node.state, count: 0, states: {}, x: (layer.get(node.id) ?? 0) * (BOX_W + LAYER_GAP), y: 0 }
    box.count += 1
    box.states[node.state] = (box.states[node.state] ?? 0) + 1
    box.state = worst(box.states)
    boxes.set(id, box)
  }
  const drawn = new Map<string, { from: string; to: string }>()
  for (const edge of edges) {
    const [from, to] = [owner.get(edge.from) ?? '', owner.get(edge.to) ?? '']
    if (from !== to) drawn.set(`${from}>${to}`, { from, to })
  }
  const links = linksOf([...drawn.values()])
  const rows: string[][] = []
  for (const box of boxes.values()) {
    const at = Math.round(box.x / (BOX_W + LAYER_GAP))
    rows[at] = [...(rows[at] ?? []), box.id]
  }
  const full = Array.from(rows, (row) => row ?? [])
  order(full, links.before, links.after)
  const y = heights(full, links.before, links.after)
  const top = Math.min(0, ...y.values())
  for (const box of boxes.values()) box.y = (y.get(box.id) ?? 0) - top
  const all = [...boxes.values()]
  const arrows = [...drawn].map(([id, { from, to }]) => ({ id, from, to, path: curve(boxes.get(from), boxes.get(to)) }))
  return { boxes: all, arrows, piled, width: Math.max(...all.map((box) => box.x)) + BOX_W, height: Math.max(...all.map((box) => box.y)) + BOX_H }
}

function curve(from: Box | undefined, to: Box | undefined): string {
  if (from === undefined || to === undefined) return ''
  const [x1, y1, x2, y2] = [from.x + BOX_W, from.y + BOX_H / 2, to.x, to.y + BOX_H / 2]
  const bend = Math.max(LAYER_GAP / 2, (x2 - x1) / 2)
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`
}

/** The way that took the longest: the tasks on it. `weight` is how long one took, in any unit. */
export function criticalPath(graph: Graph, weight: (id: string) => number): string[] {
  const known = new Set(graph.nodes.map((node) => node.id))
  const { before, after } = linksOf(graph.edges.filter((edge) => known.has(edge.on) && known.has(edge.task)).map((edge) => ({ from: edge.on, to: edge.task })))
  const layer = layersOf([...known], before, after)
  const sum = new Map<string, number>()
  const via = new Map<string, string>()
  for (const id of [...known].sort((a, b) => (layer.get(a) ?? 0) - (layer.get(b) ?? 0))) {
    let [best, from] = [0, '']
    for (const one of before.get(id) ?? []) if ((sum.get(one) ?? 0) > best) [best, from] = [sum.get(one) ?? 0, one]
    sum.set(id, best + Math.max(0.001, weight(id)))
    if (from !== '') via.set(id, from)
  }
  let [end, most] = ['', 0]
  for (const [id, one] of sum) if (one > most) [end, most] = [id, one]
  const path: string[] = []
  for (let at: string | undefined = end; at !== undefined && at !== ''; at = via.get(at)) path.unshift(at)
  return path
}
