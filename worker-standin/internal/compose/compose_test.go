package compose

import (
	"strings"
	"testing"
	"time"

	"reelkit/worker-standin/internal/job"
)

func TestGridCellsStayInsideAndNeverOverlap(t *testing.T) {
	for n := 1; n <= 30; n++ {
		boxes := Grid(n, 1280, 720)
		if len(boxes) != n {
			t.Fatalf("%d cells for %d tracks", len(boxes), n)
		}
		for i, a := range boxes {
			if a.X < 0 || a.Y < 0 || a.X+a.W > 1280 || a.Y+a.H > 720 || (a.X|a.Y|a.W|a.H)&1 == 1 {
				t.Fatalf("n=%d: cell %+v leaves the picture or is odd", n, a)
			}
			for _, b := range boxes[:i] {
				if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
					t.Fatalf("n=%d: %+v and %+v overlap", n, a, b)
				}
			}
		}
	}
}

func TestOneTrackFillsThePictureAndTwoStandSideBySide(t *testing.T) {
	if got := Grid(1, 1280, 720)[0]; got != (Box{0, 0, 1280, 720}) {
		t.Fatalf("got %+v", got)
	}
	two := Grid(2, 1280, 720)
	if two[0].X != 0 || two[1].X != 640 || two[0].W != 640 {
		t.Fatalf("got %+v", two)
	}
}

func TestTheLastRowIsCentred(t *testing.T) {
	b := Grid(3, 1200, 800)
	if b[2].X != 300 || b[2].Y != 400 {
		t.Fatalf("got %+v", b[2])
	}
}

func TestFitKeepsTheShape(t *testing.T) {
	if got := Fit(640, 360, Box{640, 0, 640, 720}); got != (Box{640, 180, 640, 360}) {
		t.Fatalf("got %+v", got)
	}
	if got := Fit(0, 0, Box{0, 0, 10, 10}); got != (Box{0, 0, 10, 10}) {
		t.Fatalf("an unknown size fills the cell, got %+v", got)
	}
}

func at(owner string, start, end int) Track {
	return Track{Video: true, Owner: owner, Start: time.Duration(start) * time.Second, End: time.Duration(end) * time.Second}
}

func TestTracksSeenTogetherGetDifferentCells(t *testing.T) {
	slot, n := Slots([]Track{at("a", 0, 10), at("b", 5, 20), at("c", 12, 20)})
	if n != 2 || slot[0] == slot[1] || slot[2] != slot[0] {
		t.Fatalf("got %v in %d cells", slot, n)
	}
}

func TestATrackThatComesBackFindsItsOldCell(t *testing.T) {
	slot, n := Slots([]Track{at("a", 0, 5), at("b", 0, 5), at("b", 8, 10), at("a", 8, 10)})
	if n != 2 || slot[2] != slot[1] || slot[3] != slot[0] {
		t.Fatalf("got %v in %d cells", slot, n)
	}
}

func TestArgumentsPlaceTracksOnTheClockAndLimitTheDuration(t *testing.T) {
	args := strings.Join(Args(Request{
		Tracks: []Track{
			{File: "v.ivf", Video: true, Start: 1500 * time.Millisecond, End: 4 * time.Second, Width: 640, Height: 360, Hidden: []Span{{2 * time.Second, 3 * time.Second}}},
			{File: "a.ogg", Start: 250 * time.Millisecond, End: 5 * time.Second},
			{File: "late.ogg", Start: 6 * time.Second},
		},
		Duration: 5 * time.Second, Audio: true, Video: true,
		Encoding: job.Encoding{Width: 1280, Height: 720, FPS: 30, VideoKbps: 3000, Profile: "main", AudioKbps: 128, AudioHz: 44100, AudioCodec: job.AAC, Container: job.MP4},
		Out:      "out.mp4",
	}), " ")
	for _, want := range []string{"-itsoffset 1.500000 -i v.ivf", "adelay=delays=12000S", "between(t,1.500000,4.000000)*not(between(t,2.000000,3.000000))",
		"color=c=black:s=1280x720:r=30:d=5.000000", "amix=inputs=2", "-t 5.000000", "-b:v 3000k", "-b:a 128k", "-f mp4 out.mp4"} {
		if !strings.Contains(args, want) {
			t.Errorf("missing %q in %s", want, args)
		}
	}
	if strings.Contains(args, "late.ogg") {
		t.Error("a track after the end does not belong to the file")
	}
}
