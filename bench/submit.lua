-- What wrk sends, one task in each request, and the one line of JSON that the benchmark reads (bench/src/wrk.rs).

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"module":"noop@1.0.0","payload":{"order":1234567,"items":["a","b","c"],"note":"as small as most tasks are"}}'

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"errors":%d,"p50_ms":%f,"p99_ms":%f}\n',
    summary.requests, summary.duration / 1e6, failed, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
