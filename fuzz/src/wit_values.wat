;; Makes the calls that its payload lists, with whatever pointers, lengths and cases it says. 25 bytes a call: the first chooses the
;; function (bits 0-2) and whether arguments are cut to the memory (bit 7), six arguments of four bytes follow.
(component
  ;; The types of `tasklane:task/handler`, for components that export it.
  (import "tasklane:task/types@0.1.0" (instance $types
    (type $context' (record (field "task-id" string) (field "attempt" u32) (field "max-attempts" u32) (field "module" string)
      (field "version" string) (field "queue" string) (field "priority" u8) (field "time-left-ms" u32)))
    (export "context" (type (eq $context')))
    (type $failure' (record (field "code" string) (field "message" string) (field "details" (option string))))
    (export "failure" (type $failure (eq $failure')))
    (type $retry' (record (field "failure" $failure) (field "after-ms" (option u32))))
    (export "retry" (type $retry (eq $retry')))
    (type $task-error' (variant (case "retryable" $retry) (case "permanent" $failure)))
    (export "task-error" (type (eq $task-error')))
    (type $host-error' (variant (case "access-denied" string) (case "limit-exceeded" string) (case "invalid" string)
      (case "unavailable" string)))
    (export "host-error" (type (eq $host-error')))))
  (alias export $types "context" (type $context))
  (alias export $types "failure" (type $failure))
  (alias export $types "task-error" (type $task-error))
  (alias export $types "host-error" (type $host-error))
  (import "tasklane:task/log@0.1.0" (instance $log
    (export "host-error" (type $error (eq $host-error)))
    (type $level' (enum "trace" "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $level')))
    (type $field' (record (field "key" string) (field "value" string)))
    (export "field" (type $field (eq $field')))
    (export "write" (func (param "level" $level) (param "message" string) (param "fields" (list $field)) (result (result (error $error)))))))
  (import "tasklane:task/progress@0.1.0" (instance $progress
    (export "host-error" (type $error (eq $host-error)))
    (export "report" (func (param "fraction" f32) (param "message" string) (result (result (error $error)))))))
  (import "tasklane:task/config@0.1.0" (instance $config
    (export "host-error" (type $error (eq $host-error)))
    (export "get" (func (param "key" string) (result (result (option string) (error $error)))))
    (export "keys" (func (result (result (list string) (error $error)))))))
  (import "tasklane:task/fault@0.1.0" (instance $fault
    (export "failure" (type $said (eq $failure)))
    (export "declare" (func (param "failure" $said)))))
  (import "tasklane:task/tasks@0.1.0" (instance $tasks
    (export "host-error" (type $error (eq $host-error)))
    (type $child' (record (field "key" string) (field "module" string) (field "input" (list u8)) (field "options" string)))
    (export "child" (type $child (eq $child')))
    (export "enqueue" (func (param "children" (list $child)) (result (result (list string) (error $error)))))))
  (core module $libc
    (memory (export "memory") 40)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $next (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (local.get 3)))))
  (core instance $libc (instantiate $libc))
  (core func $write (canon lower (func $log "write") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $report (canon lower (func $progress "report") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $get (canon lower (func $config "get") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $keys (canon lower (func $config "keys") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $declare (canon lower (func $fault "declare") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $enqueue (canon lower (func $tasks "enqueue") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $main
    (import "libc" "memory" (memory 40))
    (import "" "write" (func $write (param i32 i32 i32 i32 i32 i32)))
    (import "" "report" (func $report (param f32 i32 i32 i32)))
    (import "" "get" (func $get (param i32 i32 i32)))
    (import "" "keys" (func $keys (param i32)))
    (import "" "declare" (func $declare (param i32 i32 i32 i32 i32 i32 i32)))
    (import "" "enqueue" (func $enqueue (param i32 i32 i32)))
    (global $at (mut i32) (i32.const 0))
    (global $mask (mut i32) (i32.const 0))
    ;; Argument n of the present call.
    (func $arg (param $n i32) (result i32)
      (i32.and (global.get $mask)
        (i32.load offset=1 align=1 (i32.add (global.get $at) (i32.shl (local.get $n) (i32.const 2))))))
    (func $call (param $which i32)
      (block $end (block $enqueue' (block $declare' (block $keys' (block $get' (block $report' (block $write'
        (br_table $write' $report' $get' $keys' $declare' $enqueue' $end (local.get $which)))
        ;; log.write
        (call $write (call $arg (i32.const 0)) (call $arg (i32.const 1)) (call $arg (i32.const 2)) (call $arg (i32.const 3))
          (call $arg (i32.const 4)) (call $arg (i32.const 5)))
        (br $end))
        ;; progress.report
        (call $report (f32.reinterpret_i32 (call $arg (i32.const 0))) (call $arg (i32.const 1)) (call $arg (i32.const 2))
          (call $arg (i32.const 3)))
        (br $end))
        ;; config.get
        (call $get (call $arg (i32.const 0)) (call $arg (i32.const 1)) (call $arg (i32.const 2)))
        (br $end))
        ;; config.keys
        (call $keys (call $arg (i32.const 0)))
        (br $end))
        ;; fault.declare
        (call $declare (call $arg (i32.const 0)) (call $arg (i32.const 1)) (call $arg (i32.const 2)) (call $arg (i32.const 3))
          (call $arg (i32.const 4)) (call $arg (i32.const 5)) (i32.const 16))
        (br $end))
        ;; tasks.enqueue
        (call $enqueue (call $arg (i32.const 0)) (call $arg (i32.const 1)) (call $arg (i32.const 2)))))
    (func (export "run") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (param $input i32) (param $length i32) (result i32)
      (local $end i32)
      (local.set $end (i32.sub (i32.add (local.get $input) (local.get $length)) (i32.const 25)))
      (global.set $at (local.get $input))
      (block $over
        (loop $next
          (br_if $over (i32.gt_s (global.get $at) (local.get $end)))
          (global.set $mask (select (i32.const 0x1ffff) (i32.const -1)
            (i32.and (i32.load8_u (global.get $at)) (i32.const 0x80))))
          (call $call (i32.and (i32.load8_u (global.get $at)) (i32.const 7)))
          (global.set $at (i32.add (global.get $at) (i32.const 25)))
          (br $next)))
      (i32.const 64)))
  (core instance $main (instantiate $main (with "libc" (instance $libc)) (with "" (instance
    (export "write" (func $write)) (export "report" (func $report)) (export "get" (func $get)) (export "keys" (func $keys))
    (export "declare" (func $declare)) (export "enqueue" (func $enqueue))))))
  (func $run (param "ctx" $context) (param "input" (list u8)) (result (result (list u8) (error $task-error)))
    (canon lift (core func $main "run") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (instance $handler (export "run" (func $run)))
  (export "tasklane:task/handler@0.1.0" (instance $handler)))
