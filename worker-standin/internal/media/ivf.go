// IVF: video frames, each with its own time. ffmpeg reads it for VP8, VP9 and H.264 alike.
package media

import (
	"bufio"
	"encoding/binary"
	"io"
	"time"
)

const ivfRate = 90000 // ticks per second in the file

// ivfFile is a video track on disk.
type ivfFile struct {
	out  io.WriteCloser
	buf  *bufio.Writer
	last int64
}

func newIVF(out io.WriteCloser, fourCC string, width, height int) (*ivfFile, error) {
	head := make([]byte, 32)
	copy(head, "DKIF")
	binary.LittleEndian.PutUint16(head[6:], 32)
	copy(head[8:], fourCC)
	binary.LittleEndian.PutUint16(head[12:], uint16(width))
	binary.LittleEndian.PutUint16(head[14:], uint16(height))
	binary.LittleEndian.PutUint32(head[16:], ivfRate)
	binary.LittleEndian.PutUint32(head[20:], 1)
	f := &ivfFile{out: out, buf: bufio.NewWriterSize(out, 64<<10), last: -1}
	_, err := f.buf.Write(head)
	return f, err
}

// frame times must grow; a frame that would not is moved one tick behind the last one.
func (f *ivfFile) frame(data []byte, at time.Duration) error {
	pts := int64(at) * ivfRate / int64(time.Second)
	if pts <= f.last {
		pts = f.last + 1
	}
	f.last = pts
	head := make([]byte, 12)
	binary.LittleEndian.PutUint32(head, uint32(len(data)))
	binary.LittleEndian.PutUint64(head[4:], uint64(pts))
	if _, err := f.buf.Write(head); err != nil {
		return err
	}
	_, err := f.buf.Write(data)
	return err
}

func (f *ivfFile) Flush() error { return f.buf.Flush() }

func (f *ivfFile) Close() error {
	flushErr := f.buf.Flush()
	if err := f.out.Close(); err != nil {
		return err
	}
	return flushErr
}
