// Stream outputs: the URLs of one protocol, each with its state in the record.
package job

import (
	"fmt"
	"net/url"
	"regexp"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/utils"
	"github.com/livekit/psrpc"
)

var (
	schemes    = map[string]Container{"rtmp": RTMP, "rtmps": RTMP, "mux": RTMP, "twitch": RTMP, "srt": SRT}
	rtmpURL    = regexp.MustCompile(`^rtmps?://.*/.*/\S*( live=1)?$`)
	twitchHost = regexp.MustCompile(`^rtmps?://.*\.contribute\.live-video\.net/app/.*$`)
)

// Stream is one destination. Its Info is part of the record.
type Stream struct {
	URL      string // as it is dialled
	Redacted string
	Info     *livekit.StreamInfo
	Told     int64 // when a record last said that it is tried again
}

// Streams are the destinations of an egress that were not removed and have not failed.
type Streams struct {
	Protocol Container
	open     []*Stream
}

// Open is how many are left.
func (s *Streams) Open() int { return len(s.open) }

// All are those that are left.
func (s *Streams) All() []*Stream { return append([]*Stream(nil), s.open...) }

// Add takes one more URL. The caller puts its Info into the record.
func (s *Streams) Add(raw string) (*Stream, error) {
	dialled, redacted, err := s.check(raw)
	if err != nil {
		return nil, err
	}
	added := &Stream{URL: dialled, Redacted: redacted, Info: &livekit.StreamInfo{Url: redacted, Status: livekit.StreamInfo_ACTIVE}}
	if s.Protocol != RTMP {
		added.Info.StartedAt = time.Now().UnixNano() // only RTMP is asked when it really began
	}
	s.open = append(s.open, added)
	return added, nil
}

// Find looks for a URL as the caller of UpdateStream writes it.
func (s *Streams) Find(raw string) (*Stream, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errURL(raw, err.Error())
	}
	for _, one := range s.open {
		if one.URL == dial(u, raw) {
			return one, nil
		}
	}
	return nil, psrpc.NewErrorf(psrpc.NotFound, "stream %s not found", raw)
}

// Remove forgets a destination; it reports false when it was forgotten before.
func (s *Streams) Remove(gone *Stream) bool {
	for i, one := range s.open {
		if one == gone {
			s.open = append(s.open[:i:i], s.open[i+1:]...)
			return true
		}
	}
	return false
}

func (s *Streams) check(raw string) (dialled, redacted string, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", errURL(raw, err.Error())
	}
	if schemes[u.Scheme] != s.Protocol {
		return "", "", errURL(raw, "invalid scheme")
	}
	if s.Protocol == SRT {
		return raw, raw, nil
	}
	if u.Scheme == "twitch" || twitchHost.MatchString(raw) {
		return "", "", errUnsupported("Twitch, whose servers are looked up on the internet,")
	}
	dialled = dial(u, raw)
	if !rtmpURL.MatchString(dialled) {
		return "", "", errURL(raw, "rtmp urls must be of format rtmp(s)://{host}(/{path})/{app}/{stream_key}( live=1)")
	}
	if redacted, ok := utils.RedactStreamKey(dialled); ok {
		return dialled, redacted, nil
	}
	return dialled, dialled, nil
}

func dial(u *url.URL, raw string) string {
	if u.Scheme == "mux" {
		return fmt.Sprintf("rtmps://global-live.mux.com:443/app/%s", u.Host)
	}
	return raw
}

func errURL(raw, reason string) error {
	return psrpc.NewErrorf(psrpc.InvalidArgument, "invalid url %s: %s", raw, reason)
}
