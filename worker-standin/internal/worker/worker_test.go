package worker

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/psrpc"

	"reelkit/worker-standin/internal/config"
	"reelkit/worker-standin/internal/fault"
	"reelkit/worker-standin/internal/job"
)

func TestARoomMustBeMissingTwiceInARow(t *testing.T) {
	w := newRoomWatch(&config.Config{WSURL: "ws://127.0.0.1:1"})
	w.running = true // no polling in this test
	gone, leave := w.follow("r")
	defer leave()
	isGone := func() bool {
		select {
		case <-gone:
			return true
		default:
			return false
		}
	}
	asked := []string{"r"}
	w.compare(asked, nil)
	w.compare(asked, map[string]bool{"r": true})
	w.compare(asked, nil)
	if isGone() {
		t.Fatal("one miss at a time is not enough")
	}
	w.compare(asked, nil)
	if !isGone() {
		t.Fatal("two misses in a row end the room")
	}
	if len(w.names()) != 0 {
		t.Fatal("a room that is gone is not asked for again")
	}
}

func TestARoomIsFollowedAsLongAsSomebodyNeedsIt(t *testing.T) {
	w := newRoomWatch(&config.Config{WSURL: "ws://127.0.0.1:1"})
	w.running = true
	_, first := w.follow("r")
	_, second := w.follow("r")
	first()
	first()
	if len(w.names()) != 1 {
		t.Fatal("leaving twice must count once")
	}
	second()
	if len(w.names()) != 0 {
		t.Fatal("nobody needs the room")
	}
}

func TestDirectoriesOfDeadWorkersAreRemoved(t *testing.T) {
	root := t.TempDir()
	dead := filepath.Join(root, tempPrefix+"2147483646")
	alive := filepath.Join(root, tempPrefix+"1")
	foreign := filepath.Join(root, "egress-standin-notes")
	for _, d := range []string{dead, alive, foreign} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	own, err := newTempDir(root, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{dead: false, alive: true, foreign: true, own: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s: exists %v, want %v", dir, err == nil, want)
		}
	}
}

func TestAnOrderedFailureOfAStartCallKeepsItsCode(t *testing.T) {
	for code, want := range map[int32]psrpc.ErrorCode{503: psrpc.Unavailable, 400: psrpc.InvalidArgument, 500: psrpc.Internal, 0: psrpc.Unknown} {
		var e psrpc.Error
		if err := rpcError(&fault.Rule{Code: code, Message: "m"}); !asPSRPC(err, &e) || e.Code() != want {
			t.Errorf("%d gave %v", code, err)
		}
	}
}

func asPSRPC(err error, into *psrpc.Error) bool {
	e, ok := err.(psrpc.Error)
	*into = e
	return ok
}

func ended(e ending) *livekit.EgressInfo {
	x := &session{job: &job.Job{Info: &livekit.EgressInfo{}, File: &livekit.FileInfo{}, DisableManifest: true}, ending: e}
	x.job.Info.SetEndReason(e.reason)
	if e.limit {
		x.job.Info.SetLimitReached()
	}
	x.settle(nil)
	return x.job.Info
}

func TestHowARecordEnds(t *testing.T) {
	code := int32(418)
	rows := []struct {
		name    string
		ending  ending
		status  livekit.EgressStatus
		code    int32
		details string
	}{
		{"stopped by the API", ending{reason: livekit.EndReasonAPI}, livekit.EgressStatus_EGRESS_COMPLETE, 0, "End reason: StopEgress API"},
		{"source closed", ending{reason: livekit.EndReasonSrcClosed}, livekit.EgressStatus_EGRESS_COMPLETE, 0, "End reason: Source closed"},
		{"session limit", ending{reason: livekit.EndReasonLimitReached, limit: true}, livekit.EgressStatus_EGRESS_LIMIT_REACHED, 413, "End reason: Session limit reached"},
		{"killed", ending{reason: livekit.EndReasonKilled, err: errKilled}, livekit.EgressStatus_EGRESS_FAILED, 403, "End reason: Process killed"},
		{"ordered", ending{reason: livekit.EndReasonFailure, err: errKilled, code: &code, details: "D"}, livekit.EgressStatus_EGRESS_FAILED, 418, "D"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if i := ended(r.ending); i.Status != r.status || i.ErrorCode != r.code || i.Details != r.details || i.EndedAt == 0 {
				t.Fatalf("got %v %d %q", i.Status, i.ErrorCode, i.Details)
			}
		})
	}
}
