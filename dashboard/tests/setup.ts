// One instance for all tests, with modules deployed and tasks of every kind done.
import { Instance } from './instance'

export default async function setup(): Promise<() => Promise<void>> {
  const instance = await Instance.start()
  await instance.work.modules()
  const done = await instance.work.tasks(30)
  const batch = await instance.work.workflow()
  await instance.work.schedules()
  await instance.work.until('the first tasks end', async () => {
    const head = await instance.work.get(`/api/v1/batches/${batch}`)
    return head.ended === head.tasks
  })
  process.env.DASHBOARD_URL = instance.url
  process.env.DASHBOARD_SERVER = instance.server
  process.env.DASHBOARD_SEED = JSON.stringify({ ...done, batch })
  return () => instance.stop()
}
