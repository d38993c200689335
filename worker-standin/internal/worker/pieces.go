// Outputs of many files, made while the recording goes on: HLS segments and images. Each piece is cut from what is on disk
// when its time is over, so that what is there survives a worker that is killed.
package worker

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/livekit/psrpc"

	"reelkit/worker-standin/internal/compose"
	"reelkit/worker-standin/internal/job"
)

const (
	pieceLag   = time.Second // packets may be late
	leastPiece = 50 * time.Millisecond
	liveWindow = 5 // segments in the live playlist
)

// pieces are the files of one output. Only its own goroutine uses it, and after that the session.
type pieces struct {
	every time.Duration
	done  int // pieces that are made
	// make is told the piece's place on the recording's clock.
	make func(x *session, tracks []compose.Track, index int, from, duration time.Duration) error
	// rest says what of an unfinished piece is made at the end, and what follows the last one.
	rest func(left time.Duration) time.Duration
	last func(x *session) error
}

func (x *session) startPieces(src source) {
	if x.job.Segments != nil {
		x.pieces = append(x.pieces, newSegments(x, x.job.Segments))
	}
	for _, i := range x.job.Images {
		x.pieces = append(x.pieces, newImages(i))
	}
	for _, p := range x.pieces {
		x.cutting.Add(1)
		go func() {
			defer x.cutting.Done()
			p.run(x, src)
		}()
	}
}

func (p *pieces) run(x *session, src source) {
	begun := x.startedAt()
	lag := pieceLag
	if x.server.switches.NoMedia {
		lag = 0
	}
	for {
		from := time.Duration(p.done) * p.every
		due := begun.Add(from + p.rest(p.every) + lag)
		select {
		case <-x.ended:
			return
		case <-time.After(time.Until(due)):
		}
		if err := p.make(x, src.sofar(), p.done, from, p.rest(p.every)); err != nil {
			x.end(ending{err: err, abrupt: true})
			return
		}
		p.done++
	}
}

// finish makes what the end cut off.
func (p *pieces) finish(x *session, tracks []compose.Track, endedAt time.Time) error {
	total := endedAt.Sub(x.startedAt())
	for from := time.Duration(p.done) * p.every; from < total; from += p.every {
		length := p.rest(min(p.every, total-from))
		if length >= leastPiece || p.done == 0 {
			if err := p.make(x, tracks, p.done, from, length); err != nil {
				return err
			}
		}
		p.done++
	}
	if p.last != nil {
		return p.last(x)
	}
	return nil
}

type segment struct {
	name     string
	at       time.Time
	duration time.Duration
}

func newSegments(x *session, s *job.Segments) *pieces {
	var list []segment
	told := &manifestPlaylist{}
	x.mu.Lock()
	x.manifest.Playlists = append(x.manifest.Playlists, told)
	x.mu.Unlock()
	return &pieces{
		every: s.Duration,
		rest:  func(left time.Duration) time.Duration { return left },
		make: func(x *session, tracks []compose.Track, index int, from, duration time.Duration) error {
			at := x.startedAt().Add(from)
			one := segment{s.Name(index, at), at, duration}
			size, err := x.piece(x.request(tracks, job.TS).Cut(from, duration), s.Place(one.name))
			if err != nil {
				return err
			}
			list = append(list, one)
			x.mu.Lock()
			s.Info.SegmentCount++
			s.Info.Size += size
			told.Segments = append(told.Segments, manifestFile{s.Stored(one.name), s.Place(one.name)})
			x.mu.Unlock()
			return x.playlists(s, told, list, false)
		},
		last: func(x *session) error { return x.playlists(s, told, list, true) },
	}
}

// playlists writes the one of the whole recording, and the live one if there is one.
func (x *session) playlists(s *job.Segments, told *manifestPlaylist, list []segment, ended bool) error {
	location, live := s.Place(s.Playlist), ""
	if err := place(location, []byte(playlist(s.Duration, list, "EVENT", ended))); err != nil {
		return errUpload(err)
	}
	if s.LivePlaylist != "" {
		live = s.Place(s.LivePlaylist)
		if err := place(live, []byte(playlist(s.Duration, list, "", ended))); err != nil {
			return errUpload(err)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	s.Info.PlaylistLocation, s.Info.LivePlaylistLocation, told.Location = location, live, location
	return nil
}

// playlist without a kind is a live one: it shows the newest segments only.
func playlist(target time.Duration, list []segment, kind string, ended bool) string {
	first := 0
	if kind == "" {
		first = max(0, len(list)-liveWindow)
	}
	var b strings.Builder
	b.WriteString("#EXTM3U\n#EXT-X-VERSION:4\n")
	if kind != "" {
		fmt.Fprintf(&b, "#EXT-X-PLAYLIST-TYPE:%s\n", kind)
	}
	fmt.Fprintf(&b, "#EXT-X-ALLOW-CACHE:NO\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:%d\n", int(target.Seconds()), first)
	for _, s := range list[first:] {
		fmt.Fprintf(&b, "#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:%.3f,\n%s\n", s.at.UTC().Format("2006-01-02T15:04:05.999Z07:00"), s.duration.Seconds(), s.name)
	}
	if ended {
		b.WriteString("#EXT-X-ENDLIST\n")
	}
	return b.String()
}

func newImages(i *job.Images) *pieces {
	const frame = 100 * time.Millisecond
	return &pieces{
		every: i.Every,
		rest:  func(time.Duration) time.Duration { return frame },
		make: func(x *session, tracks []compose.Track, index int, from, duration time.Duration) error {
			r := x.request(tracks, job.JPEG)
			r.Audio = false
			for size, wanted := range map[*int32]int32{&r.Encoding.Width: i.Width, &r.Encoding.Height: i.Height} {
				if wanted > 1 {
					*size = wanted &^ 1
				}
			}
			at := x.startedAt().Add(from)
			name := i.Name(index, at)
			if _, err := x.piece(r.Cut(from, duration), i.Place(name)); err != nil {
				return err
			}
			x.mu.Lock()
			defer x.mu.Unlock()
			i.Info.ImageCount++
			x.manifest.Images = append(x.manifest.Images, manifestImage{i.Stored(name), at, i.Place(name)})
			return nil
		},
	}
}

func (x *session) request(tracks []compose.Track, c job.Container) compose.Request {
	r := compose.Request{Tracks: tracks, Audio: x.job.Audio, Video: x.job.Video, Encoding: x.job.Encoding}
	r.Encoding.Container = c
	return r
}

// piece makes one file and puts it in its place.
func (x *session) piece(r compose.Request, location string) (int64, error) {
	if x.server.switches.NoMedia {
		return x.placeholder(location, r.Duration)
	}
	r.Out = filepath.Join(x.tmp, "piece-"+filepath.Base(location))
	r.Encoding.AudioCodec = job.AAC
	if err := x.server.ffmpeg.Compose(context.Background(), r, func(int) {}); err != nil {
		return 0, psrpc.NewError(psrpc.Internal, err)
	}
	return upload(r.Out, location)
}
