package mediatype

import (
	"encoding/binary"
	"slices"
)

// brands maps the brands of the ISO base media file format (ISO/IEC 14496-12,
// "ftyp") that are not simply a video.
var brands = map[string]string{
	"avif": "image/avif", "avis": "image/avif",
	"heic": "image/heic", "heix": "image/heic", "heim": "image/heic", "heis": "image/heic",
	"hevc": "image/heic-sequence", "hevx": "image/heic-sequence",
	"mif1": "image/heif", "msf1": "image/heif-sequence",
	"qt  ": "video/quicktime",
	"M4A ": "audio/mp4", "M4B ": "audio/mp4", "M4P ": "audio/mp4",
}

func isBoxed(head []byte) bool {
	return len(head) >= 12 && string(head[4:8]) == "ftyp"
}

// boxed goes by the major brand, except for a general image brand, whose
// compatible brands say how the image is coded.
func boxed(head []byte) string {
	major := brands[string(head[8:12])]
	switch major {
	case "":
		return "video/mp4"
	case "image/heif":
		compatible := compatibleBrands(head)
		for _, brand := range []string{"avif", "heic"} {
			if slices.Contains(compatible, brand) {
				return brands[brand]
			}
		}
	}
	return major
}

func compatibleBrands(head []byte) []string {
	size := min(int64(binary.BigEndian.Uint32(head)), int64(len(head)))
	var all []string
	for at := int64(16); at+4 <= size; at += 4 {
		all = append(all, string(head[at:at+4]))
	}
	return all
}
