package media

import (
	"bytes"
	"testing"
	"time"
)

const ms = time.Millisecond

func TestTheOffsetIsTheSmallestDelay(t *testing.T) {
	l := NewTimeline(90000)
	for i, late := range []time.Duration{80, 20, 60, 10, 90} {
		l.Observe(uint32(i)*4500, 1000*ms+time.Duration(i)*50*ms+late*ms)
	}
	if l.Offset() != 1010*ms {
		t.Fatalf("got %v", l.Offset())
	}
	if got := l.At(4 * 4500); got != 200*ms {
		t.Fatalf("frame times follow the RTP clock, got %v", got)
	}
}

func TestTimestampsMayWrap(t *testing.T) {
	l := NewTimeline(48000)
	first := uint32(0xFFFFFFFF - 479)
	l.Observe(first, 0)
	l.Observe(first+960, 20*ms)
	if got := l.At(first + 960); got != 20*ms {
		t.Fatalf("got %v", got)
	}
}

func TestOneLatePacketIsJitterAndLastingLatenessIsABreak(t *testing.T) {
	l := NewTimeline(90000)
	ts := uint32(0)
	step := func(arrival time.Duration) { l.Observe(ts, arrival); ts += 4500 }
	for i := range 10 {
		step(time.Duration(i) * 50 * ms)
	}
	step(500*ms + 2*time.Second)
	step(550 * ms)
	if got := l.At(ts - 4500); got != 550*ms {
		t.Fatalf("after one late packet: got %v", got)
	}
	for i := range 20 {
		step(5*time.Second + time.Duration(i)*50*ms)
	}
	if got := l.At(ts - 4500); got < 5900*ms || got > 6*time.Second {
		t.Fatalf("after a break the clock follows: got %v", got)
	}
}

type buffer struct{ bytes.Buffer }

func (b *buffer) Close() error { return nil }

func TestOpusGapsAreFilledWithSilence(t *testing.T) {
	f, err := newOpusFile(&buffer{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	packet := []byte{0xFC, 1, 2, 3}
	_ = f.packet(packet, 0)
	_ = f.packet(packet, 20*ms)
	if f.pos != 1920 {
		t.Fatalf("two packets are %d samples", f.pos)
	}
	_ = f.packet(packet, time.Second)
	if want := int64(48000 + 960); f.pos < want-960 || f.pos > want+960 {
		t.Fatalf("after a gap the file is %d samples long, want about %d", f.pos, want)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpusDurations(t *testing.T) {
	for _, r := range []struct {
		packet []byte
		want   int64
	}{{[]byte{0xFC}, 960}, {[]byte{0xF8, 0xFF, 0xFE}, 960}, {[]byte{0xE0}, 120}, {[]byte{0x18}, 2880}, {[]byte{0x08}, 960}, {[]byte{0xF9}, 1920}, {[]byte{0xFB, 3}, 2880}, {nil, 0}} {
		if got := opusSamples(r.packet); got != r.want {
			t.Errorf("% x: %d samples, want %d", r.packet, got, r.want)
		}
	}
}

func TestOggPagesCarryTheirChecksum(t *testing.T) {
	b := &buffer{}
	f, _ := newOpusFile(b, 2)
	_ = f.Close()
	page := b.Bytes()[:28+19]
	stored := append([]byte(nil), page[22:26]...)
	clear(page[22:26])
	if crc := oggChecksum(page); byte(crc) != stored[0] || byte(crc>>24) != stored[3] {
		t.Fatal("checksum does not match")
	}
}

func TestKeyframes(t *testing.T) {
	rows := []struct {
		mime string
		data []byte
		want bool
	}{
		{"video/VP8", []byte{0x10}, true}, {"video/VP8", []byte{0x11}, false},
		{"video/VP9", []byte{0x82}, true}, {"video/VP9", []byte{0x86}, false},
		{"video/H264", []byte{0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x65, 2}, true}, {"video/H264", []byte{0, 0, 0, 1, 0x41, 1}, false},
	}
	for _, r := range rows {
		if isKeyframe(r.mime, r.data) != r.want {
			t.Errorf("%s % x: want %v", r.mime, r.data, r.want)
		}
	}
}
