// sub (3 tensors)
@group(0) @binding(0) var<storage, read_write> b0: array<vec4<f32>>;
fn sd_is_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }
fn sd_nan() -> f32 { var bits = 0x7fc00000u; return bitcast<f32>(bits); }
fn sd_sin_turn(x: f32, turn: i32) -> f32 {
  if (!sd_is_finite(x)) { return sd_nan(); }
  if (abs(x) > 2e4) { if (turn == 0) { return sin(x); } return cos(x); }
  let n = round(x * 0.636619772);
  let r = ((x - n * 1.5703125) - n * 4.837512969970703125e-4) - n * 7.54978995489188e-8;
  let q = i32(n) + turn;
  let z = r * r;
  let s = r + r * z * (-1.6666654611e-1 + z * (8.3321608736e-3 - z * 1.9515295891e-4));
  let c = 1.0 - 0.5 * z + z * z * (4.166664568298827e-2 + z * (-1.388731625493765e-3 + z * 2.443315711809948e-5));
  let v = select(s, c, (q & 1) == 1);
  return select(v, -v, (q & 2) == 2);
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let gn = i32(wg.x);
  {
    let i0 = gn;
    let i1 = i32(li);
    let v1 = 0.10000000149011612f;
    for (var i2 = i1; i2 < 48; i2 += 64) {
      let v0 = b0[i2];
      let v2 = vec4<f32>(sd_sin_turn(v0.x, 0), sd_sin_turn(v0.y, 0), sd_sin_turn(v0.z, 0), sd_sin_turn(v0.w, 0));
      let v3 = (vec4<f32>(v1) * v2);
      let v4 = (v0 - v3);
      b0[i2] = v4;
    }
  }
}
