//! What the macro says to wrong code.

#[test]
fn wrong_tasks_are_refused_with_a_clear_message() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
