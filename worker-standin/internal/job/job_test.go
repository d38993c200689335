package job

import (
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"

	"reelkit/worker-standin/internal/config"
)

func conf(t *testing.T) *config.Config {
	t.Helper()
	c, err := config.Parse("api_key: k\napi_secret: sssssssssssssssssssssssssssssssss\nws_url: ws://x\nstorage: {prefix: /rec}")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func roomRequest(mutate func(*livekit.RoomCompositeEgressRequest)) *rpc.StartEgressRequest {
	r := &livekit.RoomCompositeEgressRequest{RoomName: "r1", FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "a/{room_name}-{room_id}"}}}
	if mutate != nil {
		mutate(r)
	}
	return &rpc.StartEgressRequest{EgressId: "EG_1", RoomId: "RM_1", Request: &rpc.StartEgressRequest_RoomComposite{RoomComposite: r}}
}

func TestARoomCompositeIsReadyToRecord(t *testing.T) {
	j, err := Parse(conf(t), roomRequest(nil), time.Unix(5, 0))
	if err != nil {
		t.Fatal(err)
	}
	if j.File.Filename != "a/r1-RM_1.mp4" || j.Path.Location() != "/rec/a/r1-RM_1.mp4" || j.ManifestPaths()[0] != "/rec/a/EG_1.json" {
		t.Fatalf("got %q at %q, manifest %q", j.File.Filename, j.Path.Location(), j.ManifestPaths())
	}
	if j.Info.Status != livekit.EgressStatus_EGRESS_STARTING || j.Info.StartedAt != time.Unix(5, 0).UnixNano() || j.Info.FileResults[0] != j.Info.GetFile() {
		t.Fatalf("got %+v", j.Info)
	}
	if j.Encoding.Width != 1280 || j.Encoding.FPS != 30 || j.Encoding.AudioCodec != AAC {
		t.Fatalf("got %+v", j.Encoding)
	}
}

func TestSecretsAreNotStored(t *testing.T) {
	j := &Job{Info: &livekit.EgressInfo{}, File: &livekit.FileInfo{}}
	_ = j.roomComposite(conf(t), &livekit.RoomCompositeEgressRequest{RoomName: "r", FileOutputs: []*livekit.EncodedFileOutput{{
		Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{AccessKey: "AKIA", Secret: "hidden"}}}}})
	if text := j.Info.String(); strings.Contains(text, "hidden") || strings.Contains(text, "AKIA") {
		t.Fatal(text)
	}
}

func streams(protocol livekit.StreamProtocol, urls ...string) *rpc.StartEgressRequest {
	return roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
		r.StreamOutputs = []*livekit.StreamOutput{{Protocol: protocol, Urls: urls}}
	})
}

func segments(prefix, playlist, live string) *rpc.StartEgressRequest {
	return roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
		r.FileOutputs = nil
		r.SegmentOutputs = []*livekit.SegmentedFileOutput{{FilenamePrefix: prefix, PlaylistName: playlist, LivePlaylistName: live}}
	})
}

func TestARetryNeedsNamesOfItsOwn(t *testing.T) {
	rows := []struct {
		file, prefix, playlist string
		refused                bool
	}{
		{file: "a/f.mp4", refused: true}, {file: "a/f-{retry}.mp4"}, {file: "{retry}/f.mp4"}, {file: "a/"}, {file: ""},
		{prefix: "a/s-{retry}", playlist: "a/p"}, {prefix: "a/s", playlist: "a/p-{retry}", refused: true},
		{prefix: "a/s", refused: true}, {playlist: "a/p-{retry}"}, {playlist: "a/p", refused: true}, {prefix: "", playlist: ""},
	}
	for _, r := range rows {
		req := segments(r.prefix, r.playlist, "")
		if r.prefix+r.playlist == "" {
			req = roomRequest(func(q *livekit.RoomCompositeEgressRequest) { q.FileOutputs[0].Filepath = r.file })
		}
		req.RetryCount = 2
		j, err := Parse(conf(t), req, time.Now())
		if refused := err != nil && strings.Contains(err.Error(), "output configuration does not support retry"); refused != r.refused {
			t.Errorf("%+v: %v", r, err)
		} else if !refused && strings.Contains(j.Info.String(), "{retry}") && strings.Contains(j.File.Filename, "{retry}") {
			t.Errorf("%+v: %q", r, j.File.Filename)
		}
	}
}

func TestGeneratedNamesOfARetryCarryItsNumber(t *testing.T) {
	req := roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
		r.FileOutputs[0].Filepath = "dir/"
		r.SegmentOutputs = []*livekit.SegmentedFileOutput{{}}
		r.ImageOutputs = []*livekit.ImageOutput{{FilenamePrefix: "img/"}}
	})
	req.RetryCount = 3
	j, err := Parse(conf(t), req, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{j.File.Filename, j.Segments.Playlist, j.Segments.Name(0, time.Now()), j.Images[0].Name(0, time.Now())} {
		if !strings.Contains(name, "-3") {
			t.Errorf("got %q", name)
		}
	}
}

func TestNamesOfSegmentsAndImages(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 67e6, time.UTC)
	rows := []struct{ prefix, playlist, live, playlistAt, segmentAt, liveAt string }{
		{"a/s", "a/p.m3u8", "", "a/p.m3u8", "/rec/a/s_00007.ts", ""},
		{"s", "", "", "s.m3u8", "/rec/s_00007.ts", ""},
		{"", "a/p", "l", "a/p.m3u8", "/rec/a/p_00007.ts", "a/l.m3u8"},
		{"seg/s", "a/p", "a/l", "a/p.m3u8", "/rec/a/seg/s_00007.ts", "a/l.m3u8"},
		{"a/s", "", "", "a/s.m3u8", "/rec/a/s_00007.ts", ""},
	}
	for _, r := range rows {
		j, err := Parse(conf(t), segments(r.prefix, r.playlist, r.live), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		s := j.Segments
		if got := s.Place(s.Name(7, at)); got != r.segmentAt || s.Info.PlaylistName != r.playlistAt || s.Info.LivePlaylistName != r.liveAt {
			t.Errorf("%+v: %q, %q, %q", r, got, s.Info.PlaylistName, s.Info.LivePlaylistName)
		}
		if j.Info.GetSegments() != s.Info { //nolint:staticcheck // older clients read it
			t.Error("segments alone are the deprecated result, too")
		}
	}
	for suffix, want := range map[livekit.ImageFileSuffix]string{0: "i_00007.jpeg", 1: "i_20260102030405067.jpeg", 2: "i.jpeg"} {
		if got := (&Images{Prefix: "i", Suffix: suffix}).Name(7, at); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSeveralOutputsShareTheirCodecs(t *testing.T) {
	j, err := Parse(conf(t), roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
		r.AudioOnly, r.FileOutputs[0].Filepath = true, "f"
		r.SegmentOutputs = []*livekit.SegmentedFileOutput{{FilenamePrefix: "s"}}
	}), time.Now())
	if err != nil || j.File.Filename != "f.mp4" || j.Encoding.AudioCodec != AAC || j.OutputCount() != 2 || j.Info.Result != nil {
		t.Fatalf("got %v, %v", j, err)
	}
}

func TestStreamsAreFoundByTheirFullURLAndShownWithoutTheirKey(t *testing.T) {
	j, err := Parse(conf(t), streams(livekit.StreamProtocol_RTMP, "rtmp://h/app/secretkey1", "mux://abcdefghi"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got := j.Info.StreamResults[0]; got.Url != "rtmp://h/app/{sec...ey1}" || got.Status != livekit.StreamInfo_ACTIVE || got.StartedAt != 0 {
		t.Fatalf("got %v", got)
	}
	if _, err := j.Streams.Find("rtmp://h/app/other"); err == nil || err.Error() != "stream rtmp://h/app/other not found" {
		t.Fatalf("got %v", err)
	}
	mux, err := j.Streams.Find("mux://abcdefghi")
	if err != nil || mux.URL != "rtmps://global-live.mux.com:443/app/abcdefghi" || !j.Streams.Remove(mux) || j.Streams.Remove(mux) || j.Streams.Open() != 1 {
		t.Fatalf("got %v, %v", mux, err)
	}
}

func TestImagesAloneHaveNoSound(t *testing.T) {
	j, err := Parse(conf(t), roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
		r.FileOutputs, r.ImageOutputs = nil, []*livekit.ImageOutput{{FilenamePrefix: "i"}}
	}), time.Now())
	if err != nil || j.Audio || j.Images[0].Every != 10*time.Second {
		t.Fatalf("got %v, %v", j, err)
	}
}

func TestAPageNeedsNeitherRoomNorToken(t *testing.T) {
	c, err := config.Parse("storage: {prefix: /rec}")
	if err != nil {
		t.Fatal(err)
	}
	j, err := Parse(c, &rpc.StartEgressRequest{EgressId: "x", Request: &rpc.StartEgressRequest_Web{Web: &livekit.WebEgressRequest{
		Url: "http://x", FileOutputs: []*livekit.EncodedFileOutput{{}}}}}, time.Now())
	if err != nil || !strings.HasPrefix(j.File.Filename, "web-") || j.Info.SourceType != livekit.EgressSourceType_EGRESS_SOURCE_TYPE_WEB || !j.Audio || !j.Video {
		t.Fatalf("got %v, %v", j, err)
	}
}

func TestRefusals(t *testing.T) {
	rows := []struct {
		name, want string
		req        *rpc.StartEgressRequest
	}{
		{"no id", "request has missing or invalid field: egressID", &rpc.StartEgressRequest{}},
		{"no request", "request has missing or invalid field: request", &rpc.StartEgressRequest{EgressId: "x"}},
		{"no output", "request has missing or invalid field: output", roomRequest(func(r *livekit.RoomCompositeEgressRequest) { r.FileOutputs = nil })},
		{"nothing to record", "request has missing or invalid field: audio_only and video_only", roomRequest(func(r *livekit.RoomCompositeEgressRequest) { r.AudioOnly, r.VideoOnly = true, true })},
		{"odd width", "request has missing or invalid field: width", roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
			r.Options = &livekit.RoomCompositeEgressRequest_Advanced{Advanced: &livekit.EncodingOptions{Width: 641}}
		})},
		{"video in OGG", "no supported codec is compatible", roomRequest(func(r *livekit.RoomCompositeEgressRequest) { r.FileOutputs[0].FileType = livekit.EncodedFileType_OGG })},
		{"two files", "invalid field: multiple file outputs", roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
			r.FileOutputs = append(r.FileOutputs, r.FileOutputs[0])
		})},
		{"stream of nothing", "invalid field: stream protocol", streams(livekit.StreamProtocol_DEFAULT_PROTOCOL)},
		{"RTMP without a URL, alone", "invalid field: stream url", roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
			r.FileOutputs, r.StreamOutputs = nil, []*livekit.StreamOutput{{Protocol: livekit.StreamProtocol_RTMP}}
		})},
		{"RTMP without a key", "invalid url rtmp://h/app: rtmp urls must be of format rtmp(s)://{host}(/{path})/{app}/{stream_key}( live=1)", streams(livekit.StreamProtocol_RTMP, "rtmp://h/app")},
		{"mixed protocols", "invalid url srt://h:1: invalid scheme", streams(livekit.StreamProtocol_DEFAULT_PROTOCOL, "rtmp://h/app/key", "srt://h:1")},
		{"unknown protocol", "invalid url http://h/a/b: invalid protocol", streams(livekit.StreamProtocol_DEFAULT_PROTOCOL, "http://h/a/b")},
		{"websocket by its protocol", "invalid url wss://h: invalid scheme", streams(livekit.StreamProtocol_WEBSOCKET, "wss://h")},
		{"websocket", "websocket outputs", streams(livekit.StreamProtocol_DEFAULT_PROTOCOL, "wss://h")},
		{"OGG beside a stream", "format audio/ogg incompatible with codec audio/aac", roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
			r.AudioOnly, r.FileOutputs[0].FileType = true, livekit.EncodedFileType_OGG
			r.StreamOutputs = []*livekit.StreamOutput{{Urls: []string{"rtmp://h/app/key"}}}
		})},
		{"live playlist elsewhere", "live_playlist_name must be in same directory as playlist_name", segments("a/s", "a/p", "b/l")},
		{"live playlist the same", "live_playlist_name cannot be identical to playlist_name", segments("a/s", "a/p", "a/p.m3u8")},
		{"images of sound", "invalid field: audio_only images", roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
			r.AudioOnly, r.ImageOutputs = true, []*livekit.ImageOutput{{}}
		})},
		{"unknown suffix", "invalid field: filename_suffix", roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
			r.ImageOutputs = []*livekit.ImageOutput{{FilenameSuffix: 9}}
		})},
		{"S3", "uploads to S3", roomRequest(func(r *livekit.RoomCompositeEgressRequest) {
			r.FileOutputs[0].Output = &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{}}
		})},
		{"web", "invalid field: web url", &rpc.StartEgressRequest{EgressId: "x", Request: &rpc.StartEgressRequest_Web{Web: &livekit.WebEgressRequest{Url: "file:///x"}}}},
		{"no identity", "request has missing or invalid field: identity", &rpc.StartEgressRequest{EgressId: "x", Request: &rpc.StartEgressRequest_Participant{Participant: &livekit.ParticipantEgressRequest{RoomName: "r"}}}},
		{"no track", "request has missing or invalid field: track_id", &rpc.StartEgressRequest{EgressId: "x", Request: &rpc.StartEgressRequest_Track{Track: &livekit.TrackEgressRequest{RoomName: "r"}}}},
		{"no tracks", "request has missing or invalid field: audio_track_id or video_track_id", &rpc.StartEgressRequest{EgressId: "x", Request: &rpc.StartEgressRequest_TrackComposite{TrackComposite: &livekit.TrackCompositeEgressRequest{RoomName: "r"}}}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			_, err := Parse(conf(t), r.req, time.Now())
			if err == nil || !strings.Contains(err.Error(), r.want) {
				t.Fatalf("got %v, want %q", err, r.want)
			}
		})
	}
}

func TestPathsAreCleanedAndCannotClimb(t *testing.T) {
	for in, want := range map[string]string{"": "", ".": "", "a//b": "a/b", "../../etc/x": "etc/x", "a/../../b": "b", "dir/": "dir/", "/abs/x": "/abs/x"} {
		if got := CleanPath(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestExtensions(t *testing.T) {
	for in, want := range map[string]string{"a": "a.mp4", "a.mp4": "a.mp4", "a.ogg": "a.mp4", "v1.2": "v1.2.mp4", "a.jpeg": "a.mp4"} {
		if got := withExtension(in, ".mp4"); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestADirectoryGetsADefaultName(t *testing.T) {
	f := &FilePath{Template: "dir/"}
	f.resolve("room", nil, ".mp4", 0, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if f.Resolved != "dir/room-2026-01-02T030405.mp4" {
		t.Fatal(f.Resolved)
	}
}

func TestPlaceholdersKnownLaterAreFilledLater(t *testing.T) {
	f := &FilePath{Template: "{publisher_identity}/{room_name}"}
	f.resolve("r", map[string]string{"{room_name}": "r"}, ".mp4", 0, time.Now())
	f.resolve("alice", map[string]string{"{publisher_identity}": "alice"}, ".mp4", 0, time.Now())
	if f.Resolved != "alice/r.mp4" {
		t.Fatal(f.Resolved)
	}
}

func TestAudioOnlyDefaultsToOggAndFollowsTheCodec(t *testing.T) {
	for codec, want := range map[AudioCodec]Container{AnyAudio: OGG, Opus: OGG, AAC: MP4, MP3Audio: MP3} {
		e := defaultEncoding()
		e.AudioCodec = codec
		if err := e.chooseContainer(true, false, true); err != nil || e.Container != want {
			t.Errorf("%q gave %q, %v", codec, e.Container, err)
		}
	}
}

func TestWantTakesTheRightTracks(t *testing.T) {
	cam := Candidate{TrackID: "V", Identity: "alice", Source: livekit.TrackSource_CAMERA, Video: true}
	mic := Candidate{TrackID: "A", Identity: "alice", Source: livekit.TrackSource_MICROPHONE}
	screen := Candidate{TrackID: "S", Identity: "alice", Source: livekit.TrackSource_SCREEN_SHARE, Video: true}
	other := Candidate{TrackID: "O", Identity: "bob", Source: livekit.TrackSource_MICROPHONE}
	all := []Candidate{cam, mic, screen, other}
	rows := []struct {
		name         string
		want         Want
		audio, video bool
		ids          string
	}{
		{"room", Want{All: true}, true, true, "VASO"},
		{"room, audio only", Want{All: true}, true, false, "AO"},
		{"participant", Want{Identity: "alice"}, true, true, "VA"},
		{"participant's screen", Want{Identity: "alice", ScreenShare: true}, true, true, "S"},
		{"track", Want{TrackID: "S"}, false, false, "S"},
		{"track composite", Want{AudioTrackID: "O", VideoTrackID: "V"}, true, true, "VO"},
		{"video track alone", Want{VideoTrackID: "V"}, false, true, "V"},
		{"media: video of one, all audio", Want{VideoIdentity: "alice", AllAudio: true}, true, true, "VAO"},
		{"media: route", Want{Routes: []*livekit.AudioRoute{{Match: &livekit.AudioRoute_ParticipantIdentity{ParticipantIdentity: "bob"}}}}, true, false, "O"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			got := ""
			for _, c := range all {
				if r.want.Takes(c, r.audio, r.video) {
					got += c.TrackID
				}
			}
			if got != r.ids {
				t.Fatalf("got %q, want %q", got, r.ids)
			}
		})
	}
}
