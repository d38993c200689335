package compose

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"reelkit/worker-standin/internal/job"
)

var small = job.Encoding{Width: 320, Height: 180, FPS: 10, VideoKbps: 300, Profile: "main", AudioKbps: 64, AudioHz: 44100, AudioCodec: job.AAC, KeyFrameSeconds: 4}

func needFFmpeg(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not here")
	}
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestAStreamThatCannotConnectFailsWithoutHavingBeenConnected(t *testing.T) {
	needFFmpeg(t)
	url := fmt.Sprintf("rtmp://127.0.0.1:%d/app/key", freePort(t))
	err := NewRunner().Stream(context.Background(), url, job.RTMP, small, true, true, func() { t.Error("connected to nobody") })
	if err == nil || !strings.Contains(err.Error(), "Connection refused") {
		t.Fatalf("got %v", err)
	}
}

func TestAStreamArrivesWithPictureAndSound(t *testing.T) {
	needFFmpeg(t)
	url := fmt.Sprintf("rtmp://127.0.0.1:%d/app/key", freePort(t))
	receiver := exec.Command("ffmpeg", "-hide_banner", "-listen", "1", "-i", url, "-t", "1", "-f", "null", "-")
	var heard strings.Builder
	receiver.Stderr = &heard
	if err := receiver.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = receiver.Process.Kill() }()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	connected := make(chan struct{})
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) { // until the receiver listens
		err := NewRunner().Stream(ctx, url, job.RTMP, small, true, true, func() { close(connected) })
		if err == nil || !strings.Contains(err.Error(), "refused") || time.Since(begun) > 10*time.Second {
			break // the receiver has had enough and went
		}
	}
	select {
	case <-connected:
	default:
		t.Error("nobody was told of the connection")
	}
	if err := receiver.Wait(); err != nil || !strings.Contains(heard.String(), "h264") || !strings.Contains(heard.String(), "aac") {
		t.Fatalf("%v: %s", err, heard.String())
	}
}

func TestACutDrawsOnlyItsPieceOfTheRecording(t *testing.T) {
	whole := Request{Video: true, Audio: true, Encoding: small, Tracks: []Track{
		{File: "early", Video: true, Start: time.Second, End: 3 * time.Second},
		{File: "through", Video: true, Start: 2 * time.Second, End: 20 * time.Second, Hidden: []Span{{3 * time.Second, 4 * time.Second}, {8 * time.Second, 9 * time.Second}}},
		{File: "late", Start: 11 * time.Second, End: 20 * time.Second},
		{File: "next", Start: 12 * time.Second, End: 20 * time.Second},
	}}
	r := whole.Cut(8*time.Second, 4*time.Second)
	if r.Preroll != preroll || r.Offset != 8*time.Second || r.Duration != 4*time.Second || len(r.Tracks) != 2 {
		t.Fatalf("got %+v", r)
	}
	if v := r.Tracks[0]; v.Skip != 5500*time.Millisecond || v.Start != 0 || len(v.Hidden) != 1 || v.Hidden[0] != (Span{preroll, 1500 * time.Millisecond}) {
		t.Fatalf("got %+v", v)
	}
	if a := r.Tracks[1]; a.Skip != 0 || a.Start != 3500*time.Millisecond {
		t.Fatalf("got %+v", a)
	}
	if first := whole.Cut(0, 4*time.Second); first.Preroll != 0 || first.Tracks[0].Start != time.Second {
		t.Fatalf("got %+v", first)
	}
	r.Encoding.Container = job.TS
	if args := strings.Join(Args(r), " "); !strings.Contains(args, "-ss 5.500000 -i through") || !strings.Contains(args, "-ss 0.500000 -t 4.000000") || !strings.Contains(args, "-output_ts_offset 8.000000") {
		t.Fatal(args)
	}
}
