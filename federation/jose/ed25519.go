package jose

import (
	"crypto/ed25519"
	"math/big"
	"slices"
)

// The field prime and the curve constant of edwards25519 (RFC 8032 §5.1).
var (
	fieldPrime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	curveD     = mulMod(big.NewInt(-121665), inverse(big.NewInt(121666)))
)

// checkEd25519 refuses a public key that is not the canonical encoding of a point of edwards25519 (RFC 8032 §5.1.3), and
// one of small order: for such a key, signatures exist that hold for every message. Public keys are no secrets, so the
// arithmetic need not take constant time.
func checkEd25519(key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return refuse(KeyPoint, "x of Ed25519 must be %d bytes", ed25519.PublicKeySize)
	}
	x, y, ok := decodePoint(key)
	if !ok {
		return refuse(KeyPoint, "x is not the canonical encoding of a point of Ed25519")
	}
	for range 3 { // eight times the point
		x, y = doublePoint(x, y)
	}
	if x.Sign() == 0 && y.Cmp(big.NewInt(1)) == 0 {
		return refuse(KeyPoint, "x is a point of small order")
	}
	return nil
}

// decodePoint finds the affine coordinates: y is the text's 255 low bits, x the root of (y²-1)/(dy²+1) with its sign.
func decodePoint(key []byte) (x, y *big.Int, ok bool) {
	b := slices.Clone(key)
	slices.Reverse(b) // the encoding is little-endian
	negative := b[0]&0x80 != 0
	b[0] &= 0x7f
	y = new(big.Int).SetBytes(b)
	if y.Cmp(fieldPrime) >= 0 {
		return nil, nil, false
	}
	yy := mulMod(y, y)
	num := new(big.Int).Sub(yy, big.NewInt(1))
	den := new(big.Int).Add(mulMod(curveD, yy), big.NewInt(1))
	x = new(big.Int).ModSqrt(mulMod(num, inverse(den)), fieldPrime)
	if x == nil || (x.Sign() == 0 && negative) {
		return nil, nil, false
	}
	if (x.Bit(0) == 1) != negative {
		x.Sub(fieldPrime, x)
	}
	return x, y, true
}

// doublePoint is the addition law of a twisted Edwards curve with a = -1, of a point to itself. It is complete: no
// denominator is zero.
func doublePoint(x, y *big.Int) (*big.Int, *big.Int) {
	xx, yy, xy := mulMod(x, x), mulMod(y, y), mulMod(x, y)
	t := mulMod(curveD, mulMod(xx, yy))
	one := big.NewInt(1)
	x2 := mulMod(new(big.Int).Add(xy, xy), inverse(new(big.Int).Add(one, t)))
	y2 := mulMod(new(big.Int).Add(yy, xx), inverse(new(big.Int).Sub(one, t)))
	return x2, y2
}

func mulMod(a, b *big.Int) *big.Int {
	p := new(big.Int).Mul(a, b)
	return p.Mod(p, fieldPrime)
}

func inverse(a *big.Int) *big.Int {
	return new(big.Int).ModInverse(new(big.Int).Mod(a, fieldPrime), fieldPrime)
}
