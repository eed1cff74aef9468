// dot_general, tanh
@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
fn sd_is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn sd_tanh(x: f32) -> f32 {
  let a = abs(x);
  if (a < 0.625) {
    let z = x * x;
    return x + x * z * ((((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z - 3.33332819422e-1);
  }
  if (sd_is_nan(x)) { return x; }
  let r = 1.0 - 2.0 / (exp(2.0 * min(a, 20.0)) + 1.0);
  return select(r, -r, x < 0.0);
}
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let gn = i32(wg.x);
  let oz = i32(wg.z);
  {
    let i0 = gn;
    let i1 = i32(li);
    let v0 = 0.0f;
    let v1 = vec4<f32>(v0, v0, v0, v0);
    for (var i2 = (i0 * 8 + i1); i2 < 54 + oz; i2 += 16) {
      var v2 = v1;
      for (var i4 = 0; i4 < 8 + oz; i4 += 1) {
        let v3 = b0[(i32(u32(i2) / 3u) * 2 + (i4 >> 2u))][((i4 & 3))];
        let v4 = b0[(i32(u32(i2) % 3u) + i4 * 3 + 48)];
        let v5 = fma(vec4<f32>(v3), v4, v2);
        let n2 = v5;
        v2 = n2;
      }
      let v6 = b0[(i32(u32(i2) % 3u) + 80)];
      let v7 = (v2 + v6);
      let v8 = vec4<f32>(sd_tanh(v7.x), sd_tanh(v7.y), sd_tanh(v7.z), sd_tanh(v7.w));
      b1[i2] = v8;
    }
  }
}
