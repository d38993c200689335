// What each kind of request costs. The rows are the real worker's; the numbers come from configuration.
package admission

import (
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"

	"reelkit/worker-standin/internal/config"
)

// v2Request is what the unified request and its replay variant have in common.
type v2Request interface {
	GetTemplate() *livekit.TemplateSource
	GetWeb() *livekit.WebSource
	GetMedia() *livekit.MediaSource
}

// composite is a room drawn by a template, in either generation of the API.
type composite interface {
	GetLayout() string
	GetAudioOnly() bool
	GetCustomBaseUrl() string
}

// NeedsBrowser is false only for plain audio of a room, which the real worker records without Chrome.
func NeedsBrowser(c composite) bool {
	return !c.GetAudioOnly() || c.GetLayout() != "" || c.GetCustomBaseUrl() != ""
}

// CostOf prices a request.
func CostOf(costs config.CPUCost, req *rpc.StartEgressRequest) Cost {
	c := Cost{MemoryGB: costs.MemoryCostGB}
	switch r := req.Request.(type) {
	case *rpc.StartEgressRequest_RoomComposite:
		return compositeCost(costs, r.RoomComposite)
	case *rpc.StartEgressRequest_Web:
		c.Cores, c.Web = webCores(costs, r.Web.GetAudioOnly()), true
	case *rpc.StartEgressRequest_Participant:
		c.Cores = costs.Participant
	case *rpc.StartEgressRequest_TrackComposite:
		c.Cores = costs.TrackComposite
	case *rpc.StartEgressRequest_Track:
		c.Cores = costs.Track
	case *rpc.StartEgressRequest_Replay:
		return v2Cost(costs, r.Replay)
	case *rpc.StartEgressRequest_Egress:
		return v2Cost(costs, r.Egress)
	}
	return c
}

func v2Cost(costs config.CPUCost, req v2Request) Cost {
	c := Cost{MemoryGB: costs.MemoryCostGB}
	switch {
	case req.GetTemplate() != nil:
		return compositeCost(costs, req.GetTemplate())
	case req.GetWeb() != nil:
		c.Cores, c.Web = webCores(costs, req.GetWeb().GetAudioOnly()), true
	case req.GetMedia() != nil:
		c.Cores = costs.Participant
	}
	return c
}

func compositeCost(costs config.CPUCost, c composite) Cost {
	switch {
	case !c.GetAudioOnly():
		return Cost{Cores: costs.RoomComposite, MemoryGB: costs.MemoryCostGB, Web: true}
	case NeedsBrowser(c):
		return Cost{Cores: costs.AudioRoomComposite, MemoryGB: costs.MemoryCostGB, Web: true}
	default:
		return Cost{Cores: costs.SDKAudioRoomComposite, MemoryGB: costs.SDKAudioRoomCompositeMemG}
	}
}

func webCores(costs config.CPUCost, audioOnly bool) float64 {
	if audioOnly {
		return costs.AudioWeb
	}
	return costs.Web
}
