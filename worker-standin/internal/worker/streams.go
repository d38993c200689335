// Streams: one ffmpeg for each URL, and what becomes of it in the record. The real worker's rules: a stream that never
// connected has failed, an RTMP stream that was connected tries for 30 s, and the last output to go takes the egress with it.
package worker

import (
	"context"
	"strings"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	"github.com/livekit/psrpc"

	"reelkit/worker-standin/internal/job"
)

const (
	reconnectFor   = 30 * time.Second
	reconnectEvery = time.Second
	retryNews      = time.Minute // between two records that only say that a stream is tried again
)

func (x *session) startStreams() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sending = map[*job.Stream]context.CancelFunc{}
	if x.job.Streams == nil {
		return
	}
	for _, s := range x.job.Streams.All() {
		x.startStream(s)
	}
}

// startStream expects the lock.
func (x *session) startStream(s *job.Stream) {
	ctx, cancel := context.WithCancel(context.Background())
	x.sending[s] = cancel
	x.streams.Add(1)
	go func() {
		defer x.streams.Done()
		defer cancel()
		if x.server.switches.NoMedia {
			x.streamConnected(s)
			return
		}
		x.send(ctx, s)
	}()
}

func (x *session) send(ctx context.Context, s *job.Stream) {
	var lostAt time.Time
	ever, retryable := false, x.job.Streams.Protocol == job.RTMP
	for {
		err := x.server.ffmpeg.Stream(ctx, s.URL, x.job.Streams.Protocol, x.job.Encoding, x.job.Audio, x.job.Video, func() {
			ever, lostAt = true, time.Time{}
			x.streamConnected(s)
		})
		if ctx.Err() != nil {
			return
		}
		if lostAt.IsZero() {
			lostAt = time.Now()
		}
		if !ever || !retryable || time.Since(lostAt) > reconnectFor {
			x.streamFailed(s, psrpc.NewErrorf(psrpc.Unavailable, "%s", withoutKey(err, s)))
			return
		}
		x.streamRetried(s)
		select {
		case <-ctx.Done():
			return
		case <-time.After(reconnectEvery):
		}
	}
}

// withoutKey keeps the stream's key out of records and logs.
func withoutKey(err error, s *job.Stream) string {
	return strings.ReplaceAll(err.Error(), s.URL, s.Redacted)
}

func (x *session) streamConnected(s *job.Stream) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.Info.StartedAt != 0 {
		return
	}
	s.Info.StartedAt = time.Now().UnixNano()
	x.streamsChanged()
}

func (x *session) streamRetried(s *job.Stream) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now()
	last := time.Unix(0, s.Told)
	s.Info.LastRetryAt = now.UnixNano()
	s.Info.Retries++
	if now.Sub(last) >= retryNews {
		s.Told = now.UnixNano()
		x.streamsChanged()
	}
}

func (x *session) streamFailed(s *job.Stream, cause error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.job.Streams.Remove(s) {
		return
	}
	logger.Infow("stream failed", "egressID", x.job.ID, "url", s.Redacted, "error", cause)
	s.Info.Status, s.Info.Error = livekit.StreamInfo_FAILED, cause.Error()
	endStream(s, time.Now().UnixNano())
	if x.job.OutputCount() == 0 {
		go x.end(ending{reason: livekit.EndReasonFailure, err: cause, abrupt: true})
		return
	}
	x.streamsChanged()
}

// streamsChanged tells of it once every stream has either started or gone; it expects the lock.
func (x *session) streamsChanged() {
	if x.job.Info.Status != livekit.EgressStatus_EGRESS_ACTIVE {
		return
	}
	x.job.Info.UpdatedAt = time.Now().UnixNano()
	for _, s := range x.job.Streams.All() {
		if s.Info.StartedAt == 0 {
			return
		}
	}
	x.updates.send(x.job.Info)
}

func endStream(s *job.Stream, at int64) {
	s.Info.EndedAt = at
	if s.Info.StartedAt == 0 {
		s.Info.StartedAt = at
		return
	}
	s.Info.Duration = at - s.Info.StartedAt
}

func (x *session) stopStreams() {
	x.mu.Lock()
	for _, cancel := range x.sending {
		cancel()
	}
	x.mu.Unlock()
	x.streams.Wait()
}

// changeStreams adds, then removes. What is right is done even when the rest is wrong; the first error's code is the answer's.
func (x *session) changeStreams(req *livekit.UpdateStreamRequest) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var errs []error
	for _, raw := range req.AddOutputUrls {
		if err := x.addStream(raw); err != nil {
			errs = append(errs, err)
		}
	}
	for _, raw := range req.RemoveOutputUrls {
		if err := x.removeStream(raw); err != nil {
			errs = append(errs, err)
		}
	}
	if !x.isEnded() && x.job.OutputCount() > 0 { // without an output it is ENDING that is told
		x.streamsChanged()
	}
	return joined(errs)
}

func (x *session) addStream(raw string) error {
	s, err := x.job.Streams.Add(raw)
	if err != nil {
		return err
	}
	info := x.job.Info
	info.StreamResults = append(info.StreamResults, s.Info)
	if list := info.GetStream(); list != nil { //nolint:staticcheck // older clients read it
		list.Info = append(list.Info, s.Info)
	}
	if x.sending != nil && !x.isEnded() {
		x.startStream(s)
	}
	return nil
}

func (x *session) removeStream(raw string) error {
	s, err := x.job.Streams.Find(raw)
	if err != nil {
		return err
	}
	x.job.Streams.Remove(s)
	s.Info.Status = livekit.StreamInfo_FINISHED
	endStream(s, time.Now().UnixNano())
	if cancel := x.sending[s]; cancel != nil {
		cancel()
	}
	if x.job.OutputCount() == 0 {
		go x.end(ending{reason: livekit.EndReasonStreamsStopped})
	}
	return nil
}

func joined(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	code, texts := psrpc.Unknown, make([]string, 0, len(errs))
	for _, err := range errs {
		if e, ok := err.(psrpc.Error); ok && code == psrpc.Unknown {
			code = e.Code()
		}
		texts = append(texts, err.Error())
	}
	return psrpc.NewErrorf(code, "%s", strings.Join(texts, "\n"))
}
