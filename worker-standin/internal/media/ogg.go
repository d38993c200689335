// Opus in Ogg, without a hole: silence is written where no packet came, so that the position in the
// file is the time. Pages follow RFC 3533, the headers RFC 7845.
package media

import (
	"bufio"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"time"
)

const (
	opusRate       = 48000
	silenceSamples = 960           // one silent packet is 20 ms
	maxOverlap     = opusRate / 10 // a packet that far in the past is dropped
	minGap         = opusRate / 33 // below 30 ms a gap is jitter
	pagePackets    = 50            // about a second per page
	firstPage      = 0x02          // header type: beginning of stream
	lastPage       = 0x04          // header type: end of stream
)

var silence = []byte{0xF8, 0xFF, 0xFE} // CELT, full band, 20 ms, mono

type opusFile struct {
	out     io.WriteCloser
	buf     *bufio.Writer
	serial  uint32
	page    uint32
	pos     int64 // samples written
	packets [][]byte
}

func newOpusFile(out io.WriteCloser, channels int) (*opusFile, error) {
	f := &opusFile{out: out, buf: bufio.NewWriterSize(out, 32<<10), serial: rand.Uint32()}
	head := append([]byte("OpusHead"), 1, byte(channels), 0, 0)
	head = binary.LittleEndian.AppendUint32(head, opusRate)
	head = append(head, 0, 0, 0)
	if err := f.writePage([][]byte{head}, 0, firstPage); err != nil {
		return nil, err
	}
	vendor := "egress-standin"
	tags := binary.LittleEndian.AppendUint32([]byte("OpusTags"), uint32(len(vendor)))
	tags = append(tags, vendor...)
	tags = binary.LittleEndian.AppendUint32(tags, 0)
	return f, f.writePage([][]byte{tags}, 0, 0)
}

// packet writes one Opus packet that belongs at the given time.
func (f *opusFile) packet(data []byte, at time.Duration) error {
	target := int64(at) * opusRate / int64(time.Second)
	for target-f.pos > minGap {
		if err := f.add(silence, silenceSamples); err != nil {
			return err
		}
	}
	if f.pos-target > maxOverlap {
		return nil
	}
	return f.add(append([]byte(nil), data...), opusSamples(data))
}

func (f *opusFile) add(data []byte, samples int64) error {
	f.packets = append(f.packets, data)
	f.pos += samples
	if len(f.packets) < pagePackets {
		return nil
	}
	return f.flushPage(0)
}

func (f *opusFile) flushPage(flags byte) error {
	packets := f.packets
	f.packets = f.packets[:0]
	for len(packets) > 0 {
		n, segments := 0, 0
		for n < len(packets) && segments+len(packets[n])/255+1 <= 255 {
			segments += len(packets[n])/255 + 1
			n++
		}
		granule, rest := f.pos, packets[n:]
		for _, p := range rest {
			granule -= opusSamples(p)
		}
		pageFlags := flags
		if len(rest) > 0 {
			pageFlags = 0
		}
		if err := f.writePage(packets[:n], granule, pageFlags); err != nil {
			return err
		}
		packets = rest
	}
	return nil
}

func (f *opusFile) writePage(packets [][]byte, granule int64, flags byte) error {
	p := append([]byte("OggS"), 0, flags)
	p = binary.LittleEndian.AppendUint64(p, uint64(granule))
	p = binary.LittleEndian.AppendUint32(p, f.serial)
	p = binary.LittleEndian.AppendUint32(p, f.page)
	p = append(p, 0, 0, 0, 0, 0)
	f.page++
	for _, data := range packets {
		for n := len(data); ; n -= 255 {
			p[26]++
			p = append(p, byte(min(n, 255)))
			if n < 255 {
				break
			}
		}
	}
	for _, data := range packets {
		p = append(p, data...)
	}
	binary.LittleEndian.PutUint32(p[22:], oggChecksum(p))
	_, err := f.buf.Write(p)
	return err
}

// Flush ends the page early, so that a reader gets everything so far.
func (f *opusFile) Flush() error {
	if err := f.flushPage(0); err != nil {
		return err
	}
	return f.buf.Flush()
}

func (f *opusFile) Close() error {
	err := f.flushPage(lastPage)
	if e := f.buf.Flush(); err == nil {
		err = e
	}
	if e := f.out.Close(); err == nil {
		err = e
	}
	return err
}

// opusSamples reads a packet's duration from its first bytes (RFC 6716, section 3.1), at 48 kHz.
func opusSamples(p []byte) int64 {
	if len(p) == 0 {
		return 0
	}
	return frameSamples(p[0]>>3) * frameCount(p)
}

func frameSamples(mode byte) int64 {
	switch {
	case mode >= 16:
		return 120 << (mode & 3)
	case mode >= 12:
		return 480 << (mode & 1)
	case mode&3 == 3:
		return 2880
	}
	return 480 << (mode & 3)
}

func frameCount(p []byte) int64 {
	switch p[0] & 3 {
	case 0:
		return 1
	case 3:
		if len(p) > 1 {
			return int64(p[1] & 0x3F)
		}
		return 0
	}
	return 2
}

var oggTable = func() (t [256]uint32) {
	for i := range t {
		r := uint32(i) << 24
		for range 8 {
			if r&0x80000000 != 0 {
				r = r<<1 ^ 0x04c11db7
			} else {
				r <<= 1
			}
		}
		t[i] = r
	}
	return t
}()

func oggChecksum(page []byte) (crc uint32) {
	for _, b := range page {
		crc = crc<<8 ^ oggTable[byte(crc>>24)^b]
	}
	return crc
}
