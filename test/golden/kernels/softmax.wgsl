// reduce_max, reduce_sum, div
@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
fn sd_infinity() -> f32 { var bits = 0x7f800000u; return bitcast<f32>(bits); }
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let gn = i32(wg.x);
  let oz = i32(wg.z);
  {
    let i0 = gn;
    let i1 = i32(li);
    let v1 = -sd_infinity();
    let v2 = vec4<f32>(v1, v1, v1, v1);
    let v15 = 0.0f;
    let v16 = vec4<f32>(v15, v15, v15, v15);
    for (var i2 = (i0 * 8 + i1); i2 < 64 + oz; i2 += 64) {
      var v3 = v2;
      for (var i5 = 0; i5 < 3 + oz; i5 += 1) {
        let v4 = b0[(i2 * 3 + i5)];
        let v5 = select(max(v3, v4), v3 + v4, !(v3 == v3) | !(v4 == v4));
        let n3 = v5;
        v3 = n3;
      }
      let v6 = v3.x;
      let v7 = v3.y;
      let v8 = v3.z;
      let v9 = v3.w;
      let v10 = select(max(v6, v7), v6 + v7, !(v6 == v6) | !(v7 == v7));
      let v11 = select(max(v8, v9), v8 + v9, !(v8 == v8) | !(v9 == v9));
      let v12 = select(max(v10, v11), v10 + v11, !(v10 == v10) | !(v11 == v11));
      var v17 = v16;
      for (var i6 = 0; i6 < 3 + oz; i6 += 1) {
        let v18 = b0[(i2 * 3 + i6)];
        let v19 = (v18 - vec4<f32>(v12));
        let v20 = select(exp(v19), v19, !(v19 == v19));
        let v21 = (v17 + v20);
        let n17 = v21;
        v17 = n17;
      }
      let v22 = v17.x;
      let v23 = v17.y;
      let v24 = v17.z;
      let v25 = v17.w;
      let v26 = (v22 + v23);
      let v27 = (v24 + v25);
      let v28 = (v26 + v27);
      for (var i3 = 0; i3 < 3 + oz; i3 += 1) {
        let v0 = b0[(i2 * 3 + i3)];
        let v13 = (v0 - vec4<f32>(v12));
        let v14 = select(exp(v13), v13, !(v13 == v13));
        let v29 = (v14 / vec4<f32>(v28));
        b1[(i2 * 3 + i3)] = v29;
      }
    }
  }
}
