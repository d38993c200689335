// Package job turns a StartEgress request into what has to be recorded, or into the error the real
// worker would answer. Pure: it reads the request and the configuration and touches nothing else.
package job

import (
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"

	"reelkit/worker-standin/internal/config"
)

// Kind is the request type as the metrics name it.
type Kind string

// Kinds.
const (
	RoomComposite  Kind = "room_composite"
	Web            Kind = "web"
	Participant    Kind = "participant"
	TrackComposite Kind = "track_composite"
	Track          Kind = "track"
	Template       Kind = "template"
	Media          Kind = "media"
	Unknown        Kind = "unknown"
)

// Job is one accepted egress.
type Job struct {
	ID    string
	Kind  Kind
	Info  *livekit.EgressInfo
	Token string
	WSURL string

	Want        Want
	Audio       bool
	Video       bool
	Passthrough bool // one track, copied without re-encoding
	Encoding    Encoding

	File            *livekit.FileInfo
	Path            *FilePath // nil: no file is made
	DisableManifest bool      // of the file
	Segments        *Segments
	Images          []*Images
	Streams         *Streams
}

// Composite says whether the whole room is drawn.
func (j *Job) Composite() bool { return j.Kind == RoomComposite || j.Kind == Template }

// Parse validates a request in the real worker's order, so that the first complaint is the same.
func Parse(conf *config.Config, req *rpc.StartEgressRequest, now time.Time) (*Job, error) {
	if req.EgressId == "" {
		return nil, errInput("egressID")
	}
	j := newJob(req, now)
	if err := j.applyRequest(conf, req); err != nil {
		return nil, err
	}
	if err := j.connection(conf, req); err != nil {
		return nil, err
	}
	if !j.Passthrough {
		if err := j.chooseFormats(); err != nil {
			return nil, err
		}
		j.ResolvePath(j.identifier(), nil)
	}
	return j, nil
}

func newJob(req *rpc.StartEgressRequest, now time.Time) *Job {
	return &Job{
		ID:       req.EgressId,
		Encoding: defaultEncoding(),
		File:     &livekit.FileInfo{},
		Info: &livekit.EgressInfo{
			EgressId:   req.EgressId,
			RoomId:     req.RoomId,
			RoomName:   req.RoomName,
			Status:     livekit.EgressStatus_EGRESS_STARTING,
			StartedAt:  now.UnixNano(),
			UpdatedAt:  now.UnixNano(),
			RetryCount: req.RetryCount,
			SourceType: livekit.EgressSourceType_EGRESS_SOURCE_TYPE_SDK,
		},
	}
}

func (j *Job) applyRequest(conf *config.Config, req *rpc.StartEgressRequest) error {
	switch r := req.Request.(type) {
	case *rpc.StartEgressRequest_RoomComposite:
		return j.roomComposite(conf, r.RoomComposite)
	case *rpc.StartEgressRequest_Web:
		return j.web(conf, r.Web)
	case *rpc.StartEgressRequest_Participant:
		return j.participant(conf, r.Participant)
	case *rpc.StartEgressRequest_TrackComposite:
		return j.trackComposite(conf, r.TrackComposite)
	case *rpc.StartEgressRequest_Track:
		return j.track(conf, r.Track)
	case *rpc.StartEgressRequest_Egress:
		return j.unified(conf, r.Egress)
	case *rpc.StartEgressRequest_Replay:
		return errUnsupported("replay export")
	default:
		return errInput("request")
	}
}

func (j *Job) connection(conf *config.Config, req *rpc.StartEgressRequest) error {
	if j.Kind == Web {
		return nil // a page needs no room
	}
	var err error
	if j.Token, err = joinToken(conf, req, j.Info.RoomName); err != nil {
		return err
	}
	if j.WSURL = req.WsUrl; j.WSURL == "" {
		j.WSURL = conf.WSURL
	}
	if j.WSURL == "" {
		return errInput("ws_url")
	}
	return nil
}

// KindOf names a request before it is parsed, for metrics.
func KindOf(req *rpc.StartEgressRequest) Kind {
	switch r := req.Request.(type) {
	case *rpc.StartEgressRequest_RoomComposite:
		return RoomComposite
	case *rpc.StartEgressRequest_Web:
		return Web
	case *rpc.StartEgressRequest_Participant:
		return Participant
	case *rpc.StartEgressRequest_TrackComposite:
		return TrackComposite
	case *rpc.StartEgressRequest_Track:
		return Track
	case *rpc.StartEgressRequest_Egress:
		return unifiedKind(r.Egress)
	}
	return Unknown
}

func unifiedKind(req *livekit.StartEgressRequest) Kind {
	switch {
	case req.GetTemplate() != nil:
		return Template
	case req.GetWeb() != nil:
		return Web
	case req.GetMedia() != nil:
		return Media
	}
	return Unknown
}

func errInput(field string) error {
	return psrpc.NewErrorf(psrpc.InvalidArgument, "request has missing or invalid field: %s", field)
}

func errUnsupported(what string) error {
	return psrpc.NewErrorf(psrpc.InvalidArgument, "egress-standin does not support %s; see its README", what)
}
