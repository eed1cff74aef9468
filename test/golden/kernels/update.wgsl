// sub (3 tensors)
@group(0) @binding(0) var<storage, read_write> b0: array<vec4<f32>>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let gn = i32(wg.x);
  {
    let i0 = gn;
    let i1 = i32(li);
    let v1 = 0.10000000149011612f;
    for (var i2 = i1; i2 < 48; i2 += 64) {
      let v0 = b0[i2];
      let v2 = sin(v0);
      let v3 = (vec4<f32>(v1) * v2);
      let v4 = (v0 - v3);
      b0[i2] = v4;
    }
  }
}
