//! Lists: what is stored, filtered and page by page.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use futures::TryStreamExt;
use harness::Harness;
use interactions_types::{CreateInteraction, Interaction, InteractionId};
use serde_json::json;

async fn create(server: &Harness, labels: &[(&str, &str)]) -> Interaction {
    let mut request = CreateInteraction::new("scripted", "hi");
    let owned = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    request.labels = Some(owned.collect());
    let made = server.client.create(request).await.unwrap();
    // Lists are in the order of creation, which is told apart by the millisecond.
    tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    made
}

fn ids(made: &[&Interaction]) -> Vec<InteractionId> {
    made.iter().map(|made| made.id.clone()).collect()
}

#[tokio::test]
async fn labels_filter_a_list_across_its_pages() {
    let server = Harness::new().await;
    let mut blue = Vec::new();
    for number in 0..7 {
        let run = number.to_string();
        blue.insert(0, create(&server, &[("team", "blue"), ("run", &run)]).await);
        create(&server, &[("team", "red")]).await;
        create(&server, &[]).await;
    }
    let all_blue: Vec<_> = blue.iter().map(|made| made.id.clone()).collect();

    let list = server.client.list().label("team", "blue").page_size(3);
    let first = list.clone().await.unwrap();
    assert_eq!(first.ids(), all_blue[..3], "pages are full of what fits");
    assert!(first.next_page_token.is_some());
    let found: Vec<_> = list.items().map_ok(|item| item.id).try_collect().await.unwrap();
    assert_eq!(found, all_blue);
    let exactly = server.client.list().label("team", "blue").page_size(7).await.unwrap();
    assert_eq!((exactly.ids().len(), exactly.next_page_token), (7, None));

    let both = server.client.list().label("team", "blue").label("run", "4");
    assert_eq!(both.await.unwrap().ids(), ids(&[&blue[2]]));
    let keyed = server.client.list().has_label("run").page_size(100).await.unwrap();
    assert_eq!(keyed.ids(), all_blue);
    let neither = server.client.list().label("team", "blue").label("team", "red");
    assert!(neither.await.unwrap().ids().is_empty());

    server.client.delete(&all_blue[0]).await.unwrap();
    let left = server.client.list().label("team", "blue").page_size(100).await.unwrap();
    assert_eq!(left.ids(), all_blue[1..], "what is deleted is not listed");
}

#[tokio::test]
async fn times_filter_a_list_from_the_first_to_before_the_last() {
    let server = Harness::new().await;
    let early = create(&server, &[("team", "blue")]).await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let late = create(&server, &[("team", "blue")]).await;
    let (first, second) = (early.created.clone().unwrap(), late.created.clone().unwrap());
    assert_ne!(first, second);

    let list = || server.client.list();
    let after = list().created_after(second.as_str()).await.unwrap();
    assert_eq!(after.ids(), ids(&[&late]), "the time itself is in");
    let before = list().created_before(second.as_str()).await.unwrap();
    assert_eq!(before.ids(), ids(&[&early]), "the time itself is out");
    let between = list().created_after(first.as_str()).created_before(second.as_str());
    assert_eq!(between.label("team", "blue").await.unwrap().ids(), ids(&[&early]));
    let never = list().created_after(second).created_before(first).await.unwrap();
    assert!(never.ids().is_empty());
    let elsewhere = list().created_after("2020-01-01T00:00:00+05:30").page_size(1);
    let all: Vec<_> = elsewhere.items().map_ok(|item| item.id).try_collect().await.unwrap();
    assert_eq!(all, ids(&[&late, &early]));
}

#[tokio::test]
async fn a_filter_that_cannot_be_is_refused_by_its_name() {
    let server = Harness::new().await;
    let many = vec!["label=a"; 33].join("&");
    for (query, name) in [
        ("label=Team", "`label`"),
        ("label=:blue", "`label`"),
        ("label=team:Blue", "`label.team`"),
        ("label=team&label=1", "`label`"),
        (many.as_str(), "`label`"),
        ("created_after=yesterday", "`created_after`"),
        ("created_after=2026-11-23", "`created_after`"),
        ("created_before=2026-11-23T10:00:00+01:00", "`created_before`"),
        ("page_token=x", "`page_token`"),
    ] {
        let (status, answer) = server.raw("GET", &format!("/v1/interactions?{query}"), "").await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert_eq!((status, message.contains(name)), (400, true), "{query}: {answer}");
        assert_eq!(answer["error"]["code"], json!("invalid_request"));
    }
    let (status, _) = server.raw("GET", "/v1/interactions?label=&created_after=", "").await;
    assert_eq!(status, 200, "an empty parameter is none");
}
