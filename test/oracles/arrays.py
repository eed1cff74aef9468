"""Values of numpy and JAX (0.10.2, float64) that array functions are compared with: python3 arrays.py > arrays.json (pip install jax)."""

import json

import jax
import numpy as np
from jax import lax

jax.config.update('jax_enable_x64', True)
def tide(*shape): return np.cos(0.4*np.arange(np.prod(shape))).reshape(shape)
def wave(*shape): return np.sin(0.7*np.arange(np.prod(shape))+0.3).reshape(shape)
values = {}
def show(name, v): values[name] = [round(float(x), 9) for x in np.asarray(v).ravel()]
x=wave(2,6,5,2); w=tide(3,2,2,3)
dn=('NHWC','HWIO','NHWC')
show('same',lax.conv_general_dilated(x,w,(2,1),'SAME',dimension_numbers=dn))
show('dilated',lax.conv_general_dilated(x,w,(1,2),[(2,1),(0,1)],rhs_dilation=(2,1),dimension_numbers=dn))
wg=tide(3,2,1,4)
show('grouped',lax.conv_general_dilated(x,wg,(2,2),'VALID',dimension_numbers=dn,feature_group_count=2))
x1=wave(2,7,2); w1=tide(3,2,2)
show('line',lax.conv_general_dilated(x1,w1,(1,),[(2,0)],dimension_numbers=('NWC','WIO','NWC')))
show('maxpool',lax.reduce_window(x,-np.inf,lax.max,(1,2,2,1),(1,2,2,1),'VALID'))
show('maxpoolsame',lax.reduce_window(x,-np.inf,lax.max,(1,3,3,1),(1,2,2,1),'SAME'))
s=lax.reduce_window(x,0.,lax.add,(1,3,3,1),(1,2,2,1),'SAME'); n=lax.reduce_window(np.ones_like(x),0.,lax.add,(1,3,3,1),(1,2,2,1),'SAME')
show('avgpoolsame',s/n)
a=wave(3,4);b=wave(4,5);v=wave(3);t=wave(3,4,4)
show('ein1',np.einsum('ij,jk->ki',a,b)); show('ein2',np.einsum('ijj->ij',t)); show('ein3',np.einsum('ij,jk,i->k',a,b,v))
show('ein4',np.einsum('bij,bjk->bk',t,t)); show('ein5',np.einsum('i,j',v,wave(2))); show('ein6',np.einsum('ij->',a)); show('ein7',np.einsum('ijk->kij',t))
show('ein8',np.einsum('ii',wave(4,4)))
show('quantile',np.quantile(a,0.3,axis=1)); show('quantile0',np.quantile(a,0.8,axis=0)); show('qall',[np.quantile(a,0.37)]); show('median',np.median(a,axis=1))
tv,ti=lax.top_k(a,2); show('topv',tv); show('topi',ti)

print(json.dumps(values))
