//! sdk-rust calls LiveKit as an application in Rust does: the unmodified livekit-api behind one line of JSON for a call and one for
//! its answer. Tests run the same calls through it against LiveKit alone and LiveKit with Reelkit. What this SDK has no words for
//! (presets, several outputs of one kind, webhooks of a request) it says so, instead of asking for something else.

use livekit_api::services::egress::{
    encoding, EgressClient, EgressListFilter, EgressListOptions, EgressOutput, ParticipantEgressOptions,
    RoomCompositeOptions, TrackCompositeOptions, TrackEgressOutput, WebOptions,
};
use livekit_api::services::{ServerError, ServiceError};
use livekit_api::access_token::TokenVerifier;
use livekit_api::webhooks::WebhookReceiver;
use livekit_protocol as proto;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};
use std::env::var;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinSet;

#[derive(Deserialize)]
struct Call {
    id: u32,
    method: String,
    request: Value,
    /// Instead of one that the SDK signs.
    token: Option<String>,
}

enum Failure {
    /// The SDK cannot say this.
    Cannot(&'static str),
    Server { code: String, message: String },
    Other(String),
}

type Answer = Result<Value, Failure>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut running = JoinSet::new();
    while let Ok(Some(line)) = lines.next_line().await {
        let call: Call = serde_json::from_str(&line).expect("a line that is no call");
        running.spawn(async move {
            let id = call.id;
            println!("{}", line_of(id, ask(call).await));
        });
    }
    while running.join_next().await.is_some() {}
}

fn line_of(id: u32, answer: Answer) -> Value {
    match answer {
        Ok(ok) => json!({ "id": id, "ok": ok }),
        Err(Failure::Cannot(cannot)) => json!({ "id": id, "cannot": cannot }),
        Err(Failure::Server { code, message }) => json!({ "id": id, "error": { "code": code, "message": message } }),
        Err(Failure::Other(message)) => json!({ "id": id, "error": { "message": message } }),
    }
}

async fn ask(Call { method, request, token, .. }: Call) -> Answer {
    if method == "ReceiveWebhook" {
        return receive(request);
    }
    let client = client(token);
    match method.as_str() {
        "StartEgress" => told(client.start_egress(read(request)?).await),
        "StartRoomCompositeEgress" => {
            let r: proto::RoomCompositeEgressRequest = read(request)?;
            use proto::room_composite_egress_request::Options::{Advanced, Preset};
            let encoding = match r.options {
                Some(Advanced(options)) => encoding_of(options),
                Some(Preset(_)) => return Err(Failure::Cannot("presets")),
                None => Default::default(),
            };
            if r.output.is_some() {
                return Err(Failure::Cannot("single outputs"));
            }
            let outputs = outputs(r.file_outputs, r.stream_outputs, r.segment_outputs, r.image_outputs, r.webhooks)?;
            let options = RoomCompositeOptions {
                layout: r.layout,
                encoding,
                audio_only: r.audio_only,
                video_only: r.video_only,
                custom_base_url: r.custom_base_url,
                ..Default::default()
            };
            told(client.start_room_composite_egress(&r.room_name, outputs, options).await)
        }
        "StartWebEgress" => {
            let r: proto::WebEgressRequest = read(request)?;
            use proto::web_egress_request::Options::{Advanced, Preset};
            let encoding = match r.options {
                Some(Advanced(options)) => encoding_of(options),
                Some(Preset(_)) => return Err(Failure::Cannot("presets")),
                None => Default::default(),
            };
            if r.output.is_some() {
                return Err(Failure::Cannot("single outputs"));
            }
            let outputs = outputs(r.file_outputs, r.stream_outputs, r.segment_outputs, r.image_outputs, r.webhooks)?;
            let options = WebOptions {
                encoding,
                audio_only: r.audio_only,
                video_only: r.video_only,
                await_start_signal: r.await_start_signal,
            };
            told(client.start_web_egress(&r.url, outputs, options).await)
        }
        "StartParticipantEgress" => {
            let r: proto::ParticipantEgressRequest = read(request)?;
            use proto::participant_egress_request::Options::{Advanced, Preset};
            let encoding = match r.options {
                Some(Advanced(options)) => encoding_of(options),
                Some(Preset(_)) => return Err(Failure::Cannot("presets")),
                None => Default::default(),
            };
            let outputs = outputs(r.file_outputs, r.stream_outputs, r.segment_outputs, r.image_outputs, r.webhooks)?;
            let options = ParticipantEgressOptions { screenshare: r.screen_share, encoding };
            told(client.start_participant_egress(&r.room_name, &r.identity, outputs, options).await)
        }
        "StartTrackCompositeEgress" => {
            let r: proto::TrackCompositeEgressRequest = read(request)?;
            use proto::track_composite_egress_request::Options::{Advanced, Preset};
            let encoding = match r.options {
                Some(Advanced(options)) => encoding_of(options),
                Some(Preset(_)) => return Err(Failure::Cannot("presets")),
                None => Default::default(),
            };
            if r.output.is_some() {
                return Err(Failure::Cannot("single outputs"));
            }
            let outputs = outputs(r.file_outputs, r.stream_outputs, r.segment_outputs, r.image_outputs, r.webhooks)?;
            let options = TrackCompositeOptions {
                encoding,
                audio_track_id: r.audio_track_id,
                video_track_id: r.video_track_id,
            };
            told(client.start_track_composite_egress(&r.room_name, outputs, options).await)
        }
        "StartTrackEgress" => {
            let r: proto::TrackEgressRequest = read(request)?;
            use proto::track_egress_request::Output::{File, WebsocketUrl};
            let output = match r.output {
                Some(File(file)) => TrackEgressOutput::File(Box::new(file)),
                Some(WebsocketUrl(url)) => TrackEgressOutput::WebSocket(url),
                None => return Err(Failure::Cannot("a track without output")),
            };
            told(client.start_track_egress(&r.room_name, output, &r.track_id).await)
        }
        "UpdateLayout" => {
            let r: proto::UpdateLayoutRequest = read(request)?;
            told(client.update_layout(&r.egress_id, &r.layout).await)
        }
        "UpdateStream" => {
            let r: proto::UpdateStreamRequest = read(request)?;
            told(client.update_stream(&r.egress_id, r.add_output_urls, r.remove_output_urls).await)
        }
        "StopEgress" => {
            let r: proto::StopEgressRequest = read(request)?;
            told(client.stop_egress(&r.egress_id).await)
        }
        "ListEgress" => {
            let r: proto::ListEgressRequest = read(request)?;
            let filter = match (r.egress_id.as_str(), r.room_name.as_str()) {
                ("", "") => EgressListFilter::All,
                ("", _) => EgressListFilter::Room(r.room_name),
                _ => EgressListFilter::Egress(r.egress_id),
            };
            let items = client.list_egress(EgressListOptions { filter, active: r.active, page_token: None }).await;
            told(items.map(|items| proto::ListEgressResponse { items, next_page_token: None }))
        }
        _ => Err(Failure::Cannot("this method")),
    }
}

fn client(token: Option<String>) -> EgressClient {
    let url = var("LIVEKIT_URL").unwrap_or_default();
    match token {
        Some(token) => EgressClient::with_token(&url, &token),
        None => EgressClient::with_api_key(&url, &key(), &secret()),
    }
    .with_request_timeout(std::time::Duration::from_secs(60))
}

fn key() -> String {
    var("LIVEKIT_API_KEY").unwrap_or_default()
}

fn secret() -> String {
    var("LIVEKIT_API_SECRET").unwrap_or_default()
}

fn read<T: DeserializeOwned>(request: Value) -> Result<T, Failure> {
    serde_json::from_value(request).map_err(|error| Failure::Other(error.to_string()))
}

fn told<T: Serialize>(answer: Result<T, ServiceError>) -> Answer {
    match answer {
        Ok(message) => serde_json::to_value(message).map_err(|error| Failure::Other(error.to_string())),
        Err(ServiceError::Twirp(ServerError::Twirp(error))) => {
            Err(Failure::Server { code: error.code, message: error.msg })
        }
        Err(error) => Err(Failure::Other(error.to_string())),
    }
}

fn outputs(
    files: Vec<proto::EncodedFileOutput>,
    streams: Vec<proto::StreamOutput>,
    segments: Vec<proto::SegmentedFileOutput>,
    images: Vec<proto::ImageOutput>,
    webhooks: Vec<proto::WebhookConfig>,
) -> Result<Vec<EgressOutput>, Failure> {
    if !webhooks.is_empty() {
        return Err(Failure::Cannot("webhooks of a request"));
    }
    let mut all: Vec<EgressOutput> = files.into_iter().map(EgressOutput::File).collect();
    all.extend(streams.into_iter().map(EgressOutput::Stream));
    all.extend(segments.into_iter().map(EgressOutput::Segments));
    all.extend(images.into_iter().map(EgressOutput::Image));
    Ok(all)
}

fn encoding_of(o: proto::EncodingOptions) -> encoding::EncodingOptions {
    encoding::EncodingOptions {
        width: o.width,
        height: o.height,
        depth: o.depth,
        framerate: o.framerate,
        audio_codec: o.audio_codec(),
        audio_bitrate: o.audio_bitrate,
        audio_frequency: o.audio_frequency,
        video_codec: o.video_codec(),
        video_bitrate: o.video_bitrate,
        keyframe_interval: o.key_frame_interval,
        ..Default::default()
    }
}

/// What an application does with a webhook: check its signature, then read it.
fn receive(request: Value) -> Answer {
    let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    let receiver = WebhookReceiver::new(TokenVerifier::with_api_key(&key(), &secret()));
    let event = receiver
        .receive(&text("body"), &text("authorization"))
        .map_err(|error| Failure::Other(error.to_string()))?;
    serde_json::to_value(event).map_err(|error| Failure::Other(error.to_string()))
}
