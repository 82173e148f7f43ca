//! What every database behind the store's ports must do: one check for each promise, run against each database.
//!
//! Called by `crates/store/tests` through [`store_conformance!`](crate::store_conformance), which makes one test of each check, so
//! that a failing check is named. A check gets a [`World`] with an empty database of its own.

pub mod assets;
pub mod blob_tasks;
pub mod blobs;
pub mod dependence;
pub mod durability;
pub mod flow;
pub mod history;
pub mod kv;
pub mod leader;
pub mod life;
pub mod modules;
pub mod quarantine;
pub mod reads;
pub mod releases;
pub mod retention;
pub mod schedules;
pub mod secrets;
pub mod settle;
pub mod submit;
pub mod webhooks;
pub mod world;

pub use world::World;

/// Makes one test of every check. The argument is the path of `async fn() -> anyhow::Result<World>`.
#[macro_export]
macro_rules! store_conformance {
    ($fresh:path) => {
        $crate::store_conformance! { @each $fresh;
            submit::a_submitted_task_reads_back_whole,
            submit::a_task_for_later_is_scheduled,
            submit::a_batch_of_any_size_is_stored_whole,
            submit::a_batch_with_a_conflict_leaves_nothing,
            submit::the_same_key_and_body_is_one_task,
            submit::the_same_key_with_another_body_is_a_conflict,
            submit::an_expired_key_is_free_again,
            submit::one_key_twice_in_a_batch_is_one_task,
            submit::concurrent_submits_with_one_key_make_one_task,
            submit::a_conflict_does_not_hurt_its_neighbours,
            submit::submitting_an_id_again_does_not_double_it,
            submit::a_burst_of_submits_shares_its_commits,
            settle::an_end_is_recorded_with_all_that_belongs_to_it,
            settle::a_start_and_an_end_in_one_batch_are_taken_in_order,
            settle::an_end_told_twice_is_taken_once,
            settle::a_stale_delivery_is_refused,
            settle::a_stale_attempt_is_refused,
            settle::a_report_of_an_unknown_task_is_refused,
            settle::an_ended_task_never_changes,
            settle::a_retryable_error_waits_and_runs_again_above_the_fence,
            settle::a_log_names_the_attempt_that_said_it,
            settle::the_last_attempt_fails_the_task,
            settle::a_handed_back_delivery_comes_back_as_an_order,
            settle::a_start_and_progress_are_recorded,
            settle::a_large_mixed_batch_settles_each_by_its_own,
            settle::of_concurrent_ends_one_wins,
            settle::submits_and_settles_go_on_side_by_side,
            settle::a_cancel_ends_any_task_that_has_not_ended,
            settle::an_unknown_task_is_not_cancelled,
            settle::of_a_cancel_and_an_end_one_wins,
            leader::terms_rise_and_a_lease_opens_one,
            leader::a_wiped_lease_store_still_gives_a_higher_term,
            leader::a_former_leader_is_refused,
            leader::concurrent_leases_open_different_terms,
            leader::due_tasks_are_queued_earliest_first,
            leader::the_next_due_time_counts_deadlines,
            leader::what_never_started_expires,
            leader::what_is_below_its_watermark_is_published_anew,
            leader::a_redispatch_is_bounded_and_fences_the_former,
            reads::a_walk_over_pages_meets_every_task_once,
            reads::filters_select_and_combine,
            reads::labels_find_tasks,
            reads::counts_are_by_state_and_lane,
            reads::what_is_not_there_is_none,
            retention::rules_are_set_read_back_and_unset,
            retention::rules_are_bounded,
            retention::a_removed_task_is_gone_with_all_that_belongs_to_it,
            retention::what_is_removed_of_a_task_is_told,
            retention::what_never_was_is_not_removed,
            retention::logs_of_all_attempts_go,
            retention::a_walk_meets_every_ended_task_once_and_no_other,
            retention::what_somebody_waits_for_stays_until_that_has_ended,
            retention::children_stay_while_their_parent_goes_on,
            retention::a_batch_stays_whole_until_its_last_task_has_ended,
            retention::removals_leave_flow_control_as_it_is,
            retention::a_unique_kind_goes_with_its_task,
            retention::arrows_to_failures_outlive_them,
            retention::a_binding_to_a_removed_result_is_refused,
            retention::a_bulk_retry_passes_over_what_was_removed,
            retention::a_former_leader_removes_nothing,
            retention::expired_keys_are_purged_and_others_stay,
            retention::operations_that_are_done_are_purged,
            assets::assets_lie_beside_the_version_that_has_them,
            assets::other_assets_under_one_version_are_a_conflict,
            modules::a_deployed_module_reads_back_whole,
            modules::deploying_the_same_again_changes_nothing,
            modules::other_content_under_one_version_is_a_conflict,
            modules::the_newest_version_is_a_release_if_there_is_one,
            modules::modules_are_listed_by_name_and_newest_version,
            quarantine::two_deaths_quarantine_a_module,
            quarantine::a_death_is_counted_once_and_for_a_day,
            quarantine::a_released_module_runs_again,
            releases::an_alias_leads_and_rolls_back,
            releases::a_version_is_switched_off_and_on,
            releases::what_needs_a_version_is_found,
            releases::a_version_is_removed_with_its_bytes,
            releases::aliases_have_a_limit,
            releases::a_number_stays_that_of_its_bytes,
            releases::what_waits_gets_its_version_when_it_is_queued,
            releases::what_is_released_gets_its_version_then,
            releases::what_was_queued_or_named_its_version_keeps_it,
            blobs::a_blob_reads_back_in_its_chunks,
            blobs::only_verified_content_becomes_visible,
            blobs::the_same_content_again_is_one_blob,
            blobs::concurrent_uploads_of_one_content_make_one_blob,
            blobs::what_nobody_refers_to_is_swept_in_bounded_rounds,
            blobs::an_idle_upload_is_swept_and_cannot_finish,
            blobs::a_late_append_does_not_hurt_a_blob,
            blobs::a_former_leader_sweeps_nothing,
            blob_tasks::a_payload_by_reference_reads_back_and_travels_in_its_order,
            blob_tasks::a_task_cannot_refer_to_what_is_not_there,
            blob_tasks::what_a_task_refers_to_is_never_swept,
            blob_tasks::a_large_result_is_recorded_by_reference,
            blob_tasks::a_whole_large_result_is_bound_without_a_copy,
            blob_tasks::a_part_of_a_large_result_cannot_be_bound,
            blob_tasks::a_retried_task_keeps_its_reference,
            blob_tasks::a_blob_goes_after_the_last_that_refers_to_it,
            durability::what_was_answered_is_there_after_reopening,
            durability::terms_survive_reopening,
            durability::concurrent_starters_migrate_once,
            durability::two_processes_share_one_database,
            dependence::the_last_dependence_releases_what_waits,
            dependence::every_way_to_end_counts_once,
            dependence::a_failure_goes_as_far_as_it_is_let,
            dependence::what_has_ended_before_is_not_waited_for,
            dependence::an_unknown_dependence_refuses_the_batch,
            dependence::bindings_take_results_into_payloads,
            dependence::a_released_task_waits_for_its_own_time,
            dependence::a_wide_fan_in_releases_once,
            dependence::a_wide_fan_out_releases_all,
            dependence::a_batch_is_counted_and_drawn,
            dependence::a_repeated_workflow_is_the_first,
            dependence::random_graphs_end_in_order,
            life::every_attempt_is_kept,
            life::a_waiting_task_can_be_moved,
            life::a_replay_names_its_origin,
            life::the_first_of_a_kind_stands_in_the_way,
            life::of_many_of_a_kind_one_is_stored,
            life::a_child_is_enqueued_once,
            life::children_are_counted,
            life::a_bulk_cancel_takes_what_matches,
            life::a_bulk_retry_submits_what_failed,
            life::a_tree_is_cancelled_whole,
            life::a_former_leader_operates_no_more,
            life::namespaces_keep_keys_apart,
            schedules::a_schedule_reads_back_whole,
            schedules::schedules_become_due_at_their_time,
            schedules::a_plan_is_committed_once,
            schedules::overlaps_are_settled_with_the_firing,
            schedules::an_instant_that_was_handled_fires_no_more,
            schedules::a_newer_task_voids_a_plan,
            schedules::missed_instants_are_counted,
            schedules::firings_are_forgotten_in_time,
            schedules::old_firings_are_purged_and_fire_no_more,
            schedules::fifty_leaders_fire_each_instant_once,
            flow::a_limited_task_is_held_and_admitted,
            flow::a_key_never_has_more_than_its_maximum,
            flow::a_retrying_task_gives_its_slot_free,
            flow::a_cancelled_task_keeps_its_slot_for_a_moment,
            flow::an_expired_or_failed_task_gives_its_slot_free,
            flow::a_paused_queue_holds_everything,
            flow::a_rate_spreads_starts,
            flow::shares_take_turns,
            flow::namespaces_share_fairly,
            flow::an_operators_rule_limits_a_module,
            flow::a_walk_over_many_lines_meets_all,
            flow::a_sweep_leaves_the_slots_of_what_runs,
            flow::a_lost_admitted_task_is_rescued_with_its_slot,
            flow::a_former_leader_admits_nothing,
            webhooks::a_webhook_reads_back_whole,
            webhooks::every_way_to_end_is_written_down,
            webhooks::a_delivery_tells_of_its_task,
            webhooks::only_interested_endpoints_are_told,
            webhooks::an_end_is_written_down_once,
            webhooks::deliveries_are_paged,
            webhooks::a_refused_delivery_waits_and_dies_and_rises,
            webhooks::an_endpoint_that_is_gone_is_paused,
            webhooks::a_former_leader_records_nothing,
            webhooks::a_removed_endpoint_takes_its_deliveries_with_it,
            webhooks::the_end_of_a_batch_is_told_once,
            webhooks::a_batch_stays_until_its_end_was_told,
            webhooks::a_delivery_of_a_former_endpoint_pauses_no_other,
            webhooks::houses_are_kept,
            webhooks::the_newest_deliveries_are_remembered,
            webhooks::ends_and_removals_go_on_side_by_side,
            kv::what_is_written_reads_back,
            kv::a_revision_is_given_once,
            kv::concurrent_writes_of_one_key_lose_nothing,
            kv::keys_are_listed_by_their_bytes,
            kv::a_full_store_takes_no_more,
            kv::what_has_expired_goes,
            kv::a_former_leader_expires_nothing,
            kv::an_expired_key_can_be_written_anew,
            secrets::a_sealed_value_reads_back,
            secrets::a_value_is_sealed_anew,
            secrets::a_secret_is_removed,
            secrets::a_namespace_has_so_many_secrets,
            history::random_histories_follow_the_state_machine,
        }
    };
    (@each $fresh:path; $($room:ident :: $check:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() -> anyhow::Result<()> {
                $crate::conformance::$room::$check($fresh().await?).await
            }
        )*
    };
}
