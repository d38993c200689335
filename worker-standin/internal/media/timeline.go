// Package media joins a room and writes what it hears and sees to disk, with the time of every frame.
// It knows nothing of egress states; it reports when media begins and when the source is gone.
package media

import "time"

const (
	settling    = 10 * time.Second       // while this young, a track's offset follows its least delayed packet
	lateJump    = 700 * time.Millisecond // a lasting delay beyond this is a break in the sender's clock
	earlyJump   = 150 * time.Millisecond // packets cannot arrive before they are sent: the clock was re-based
	lateInARow  = 8
	lateAtLeast = 500 * time.Millisecond
)

// Timeline maps a track's RTP timestamps to time since its first frame, and finds where on the
// recording's clock that first frame belongs. The offset is the smallest delay seen, because network
// and scheduling can only make packets late.
type Timeline struct {
	rate    int64
	started bool
	first   time.Duration // arrival of the first packet
	last    uint32
	rel     int64 // ticks of `last` since the first frame, breaks included
	offset  time.Duration

	lateCount int
	lateSince time.Duration
}

// NewTimeline takes the RTP clock rate in Hz.
func NewTimeline(rate uint32) *Timeline { return &Timeline{rate: int64(rate)} }

// Observe takes one packet's timestamp and its arrival on the recording's clock.
func (t *Timeline) Observe(ts uint32, arrival time.Duration) {
	if !t.started {
		t.started, t.first, t.last, t.offset = true, arrival, ts, arrival
		return
	}
	if step := int32(ts - t.last); step > 0 {
		t.rel += int64(step)
		t.last = ts
	}
	t.compare(t.offset+t.ticks(t.rel), arrival)
}

// At is the time of a frame since the track's first one.
func (t *Timeline) At(ts uint32) time.Duration {
	return max(0, t.ticks(t.rel+int64(int32(ts-t.last))))
}

// Offset is the place of the first frame on the recording's clock.
func (t *Timeline) Offset() time.Duration { return t.offset }

func (t *Timeline) compare(predicted, arrival time.Duration) {
	late := arrival - predicted
	switch {
	case late < 0 && arrival-t.first < settling:
		t.offset += late
		t.lateCount = 0
	case late < -earlyJump:
		t.shift(late)
	case late > lateJump:
		t.countLate(late, arrival)
	default:
		t.lateCount = 0
	}
}

func (t *Timeline) countLate(late, arrival time.Duration) {
	if t.lateCount == 0 {
		t.lateSince = arrival
	}
	t.lateCount++
	if t.lateCount >= lateInARow && arrival-t.lateSince >= lateAtLeast {
		t.shift(late)
	}
}

func (t *Timeline) shift(by time.Duration) {
	t.rel = max(0, t.rel+int64(by)*t.rate/int64(time.Second))
	t.lateCount = 0
}

func (t *Timeline) ticks(n int64) time.Duration {
	return time.Duration(n * int64(time.Second) / t.rate)
}
