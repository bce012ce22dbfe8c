//! What a client is not built with.

use std::time::Duration;

use strata_core::ErrorKind;
use strata_http::{HttpClient, Route};

#[test]
fn bad_settings_are_refused_when_the_client_is_built() {
    let builder = || HttpClient::builder("http://127.0.0.1:1/");
    for builder in [
        HttpClient::builder("http://example.org/"),
        builder().path(Route::Refresh, "https://example.org/token"),
        builder().user_agent("a\nb"),
        builder().connect_timeout(Duration::ZERO),
        builder().read_timeout(Duration::ZERO),
        builder().total_timeout(Duration::ZERO),
        builder().max_answer(0),
    ] {
        let shown = format!("{builder:?}");
        assert_eq!(builder.build().expect_err("refused").kind(), ErrorKind::Invalid, "{shown}");
    }
    assert!(HttpClient::builder("http://example.org/").allow_plaintext().build().is_ok());
}
